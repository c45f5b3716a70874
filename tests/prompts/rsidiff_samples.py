"""The nine sample prompts of RSIDiff (arXiv 2502.09963, table 2), as printed. They must pass every filter."""

SAMPLES = (
    "Red panda in a spacesuit in space having an epiphany nebula in the background, trending on artstation, highly "
    "detailed",
    "A samoyed dog seated on a rock in a jungle, mist, tropical trees, vines, birds, sunset, fluffy clouds, warm "
    "colors, beautiful lighting, digital art, intricate details, trending on artstation",
    "Digital art, fantasy portrait of a cat in a lounge chair wearing sunglasses, by james jean, by ross tran, ultra "
    "detailed, character design, concept art, trending on artstation",
    "Illustration of a short curly orange hair man as a portrait, smooth, reflects, masterpiece artwork, ultra "
    "detailed, artgerm, style by karl marx, digital art, trending on artstation, behance, deviantart",
    "Fennec fox, pink, palm trees, furry, cute, disney zootopia, concept art, aviator sunglasses, synthwave style, "
    "artstation, detailed, award winning, dramatic lighting, miami vice, oil on canvas",
    "Digital art of a cute penguin sitting on a chair wearing sunglasses at night, detailed, trending on artstation, "
    "digital art, award winning art, detailed digital art, painting",
    "A dog in an astronaut suit, 3d, sci-fi fantasy, intricate, elegant, highly detailed, lifelike, photorealistic, "
    "digital painting, artstation, illustration, concept art, sharp focus, art in the style of Shigenori Soejima",
    "Portrait of a vampire woman staring into a mirror, realistic, 8 k, extremely detailed, cgi, trending on "
    "artstation, hyper - realistic render, 4 k hd wallpaper, premium prints available, by greg rutkowski",
    "A medieval brick castle surrounded by dozens of planets in a green field at noon, matte oil painting, cumulus "
    "clouds, impact craters, fantasy, concept art, clear, crisp, sharp, extremely detailed, wallpaper",
)
