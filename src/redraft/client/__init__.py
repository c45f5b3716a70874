"""Roof: a small client for programs and devices: paint, rate, and go on rating without a network.

    with Client("http://127.0.0.1:8188", cache="ratings.db") as client:
        (picture,) = client.generate("a red cat", ask="offline")
        client.take_along([picture.id])                  # from here on no network is needed
        if client.decide(picture.id):
            client.rate(picture.id, "thumbs", {"up": True})
        client.sync()                                    # when there is a network again

Every answer is on the disk with an id of its own before anything is sent, and the server keeps one answer for each id,
so that nothing is lost and nothing counts twice, wherever either side is cut off.
"""

from redraft.client.rating import Client, Picture, Synced

__all__ = ["Client", "Picture", "Synced"]
