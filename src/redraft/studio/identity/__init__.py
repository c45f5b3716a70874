"""Who somebody is and what they may: passwords, sessions, keys, proxies, single sign-on, signed tokens. No pictures."""
