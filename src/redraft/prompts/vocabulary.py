"""Word lists that the rules of this room go by, all in the normal form of `wording`. No rule stands here."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = _words(
    """a an the this that these those some any each every and or but nor so as at by for from in into of off on onto
    out over to under up upon via with within without is are was were be been being am has have having had do
    does did doing it its he his him she her hers they their them we our us you your i my me who whom whose
    which what where when while there here then than too very really quite just also only own same such not no
    if because about between through during before after above below again both all more most other one ones s t
    d re ve ll"""
)
"""Words that say nothing about what is in the picture."""

VAGUE_WORDS = _words(
    """something anything someone somebody somewhere somehow stuff thing things whatever whichever whoever etc blah"""
)

COLOURS = _words(
    """red orange yellow green blue purple violet pink black white grey gray brown beige golden gold silver turquoise
    teal cyan magenta crimson scarlet maroon navy indigo lavender emerald amber ivory tan copper bronze pastel
    colorful colourful blonde ginger"""
)

NUMBERS = _words(
    """one two three four five six seven eight nine ten eleven twelve dozen dozens twenty thirty hundred hundreds
    single pair couple several both twin"""
)

PLACES = _words(
    """left right top bottom above below behind beside under underneath inside outside between front near next atop"""
)

NEGATIONS = frozenset({"no", "not", "without", "never"})

TELLING_WORDS = COLOURS | NUMBERS | PLACES | NEGATIONS
"""Two texts that differ in one of these ask for different pictures, however much else they share."""

ATTRIBUTES = (
    COLOURS
    | NUMBERS
    | _words(
        """small large big tiny huge giant little tall short long thin fat wide narrow round square old young ancient
    modern new medieval futuristic vintage wooden wood metal metallic stone brick marble glass leather silk
    paper plastic furry fluffy hairy curly smooth rough shiny matte wet dry broken rusty mossy foggy misty snowy
    rainy sunny stormy dark bright warm cold cute happy sad angry scary beautiful elegant muscular bearded
    wrinkled striped spotted checkered transparent glowing burning frozen floating flying smiling sitting seated
    standing running sleeping wearing holding eating drinking riding dressed armored abandoned crowded empty
    tropical"""
    )
)
"""Properties that a picture can show: colours, numbers, sizes, ages, materials, states and poses."""

SETTING_WORDS = _words(
    """in inside on onto at near under underneath above below over behind beside beneath between among against across
    along around beyond through surrounded outside next atop background foreground with"""
)
"""Words that relate things to each other or to a place."""

LIGHT_WORDS = _words(
    """lighting light lights lit sunlight moonlight backlit candlelight sunset sunrise dawn dusk night noon midnight
    daylight shadows shadow silhouette closeup macro wide aerial panorama panoramic portrait bokeh focus
    perspective symmetrical composition fisheye cinematic contrast"""
)
"""Light, time of day and framing."""

ARTISTS = (
    "greg rutkowski", "alphonse mucha", "gaston bussiere", "jesper ejsing", "ilya kuvshinov", "sachin teng",
    "magali villeneuve", "michael garmash", "charlie bowater", "atey ghailan", "mike mignola", "wayne barlowe",
    "ayami kojima", "zdzislaw beksinski", "joseph leyendecker", "j c leyendecker", "jc leyendecker", "rob rey",
    "greg tocchini", "james gilleard", "artem demura", "denis villeneuve", "mike winkelmann",
    "caspar david friedrich", "stephen hickman", "james gurney", "range murata", "frank frazetta",
    "stanley artgerm lau", "stanley artgerm", "stanley lau", "artgerm", "wlop", "loish", "rossdraws", "ross tran",
    "ross draws", "james jean", "beeple", "rhads", "lois van baarle", "makoto shinkai", "moebius", "syd mead",
    "craig mullins", "peter mohrbacher", "victo ngai", "ruan jia", "marc simonetti", "tom bagshaw",
    "masamune shirow", "krenz cushart", "akihiko yoshida", "giger", "h r giger", "hr giger", "alan lee",
    "android jones", "dan mumford", "karol bak", "feng zhu", "norman rockwell", "thomas kinkade", "edward hopper",
    "simon stalenhag", "zaha hadid", "annie leibovitz", "wes anderson", "shigenori soejima", "yoji shinkawa",
    "bayard wu", "odd nerdrum", "dan dos santos", "john singer sargent", "william adolphe bouguereau", "bouguereau",
    "albert bierstadt", "ivan aivazovsky", "ivan shishkin", "donato giancola", "sakimichan", "guweiz", "sam spratt",
    "boris vallejo", "rutkowski", "mucha",
)  # fmt: skip
"""Names that a crawl of prompts repeats by the thousand, whatever the picture is to show."""

SITES = (
    "artstation", "art station", "deviantart", "deviant art", "behance", "cgsociety", "cg society", "pixiv",
    "pinterest", "dribbble", "instagram", "flickr", "500px", "artbreeder", "zbrush central", "konachan", "danbooru",
    "tumblr",
)  # fmt: skip

PRAISE = (
    "masterpiece artwork", "masterpiece", "award winning art", "award winning", "best quality", "high quality",
    "top quality", "studio quality", "premium prints available", "prints available", "hd wallpaper",
    "official fanart", "insane details", "micro details", "micro detail", "intricate details", "intricate detail",
    "intricate complexity", "fine details", "fine detail", "high details", "high detail", "high resolution",
    "high res", "highres", "hi res", "full hd", "ultra hd", "uhd", "hdr", "4k", "8k", "16k", "32k", "octane render",
    "unreal engine 5", "unreal engine 4", "unreal engine", "ue5", "ue4", "vray", "redshift render",
    "physically based rendering", "ray tracing", "raytracing", "global illumination",
)  # fmt: skip
"""Praise, resolution and renderer names: they ask for a good picture, not for a certain one."""

PRAISE_ALONE = (
    "detailed", "stunning", "breathtaking", "gorgeous", "aesthetic", "wallpaper", "hd", "octane", "very coherent",
    "correct proportions", "perfect composition", "perfect face", "high definition", "ultra detail", "hyper detail",
)  # fmt: skip
"""Praise only where it is a whole phrase (", detailed,"): within a sentence the same words may describe a thing, as in
"a room with floral wallpaper"."""

DEGREES = ("highly", "very", "extremely", "ultra", "insanely", "intricately", "hyper", "super", "incredibly", "most")

STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "animation": (
        "anime", "manga", "cartoon", "animated", "animation", "pixar", "disney", "dreamworks", "studio ghibli",
        "ghibli", "chibi", "comic book", "comic", "webtoon", "claymation", "stop motion", "simpsons",
        "looney tunes", "ufotable", "kyoto animation", "cel shaded", "kawaii", "vtuber", "anime style",
    ),
    "concept-art": (
        "concept art", "conceptart", "digital art", "digital painting", "digital illustration", "matte painting",
        "character design", "artstation", "cgsociety", "fantasy art", "game art", "octane render", "unreal engine",
        "3d render", "3d", "cgi", "render", "key visual", "environment design", "illustration", "cgi render",
    ),
    "painting": (
        "oil on canvas", "oil painting", "watercolor", "watercolour", "acrylic painting", "acrylic", "gouache",
        "fresco", "impasto", "painting", "painted", "ukiyo e", "impressionist", "impressionism", "baroque",
        "renaissance", "oil paint", "tempera", "matte oil painting", "brush strokes", "ink wash", "pastel drawing",
    ),
    "photo": (
        "photo", "photograph", "photography", "photographic", "photorealistic", "photorealism", "dslr", "35mm",
        "50mm", "85mm", "bokeh", "polaroid", "kodak", "nikon", "canon eos", "leica", "film still", "daguerreotype",
        "selfie", "snapshot", "photoshoot", "shallow depth of field",
    ),
}  # fmt: skip
"""What tells a style, by style. A longer term is read before a shorter one: "digital painting" is no "painting"."""

TOXIC_TERMS = (
    "nude", "nudes", "nudity", "naked woman", "naked man", "naked girl", "naked boy", "naked women", "naked men",
    "naked people", "naked", "nsfw", "porn", "porno", "pornographic", "pornography", "hentai", "erotic", "erotica",
    "topless", "bottomless", "sex", "sexual", "sexually", "having sex", "orgasm", "blowjob", "handjob", "penis",
    "vagina", "genitals", "genitalia", "nipple", "nipples", "boobs", "tits", "cleavage", "lingerie", "upskirt",
    "bdsm", "fetish", "loli", "lolita", "shota", "rape", "raped", "raping", "incest", "bestiality", "masturbating",
    "masturbation", "gore", "gory", "beheaded", "beheading", "decapitated", "decapitation", "dismembered",
    "disembowelled", "disemboweled", "mutilated", "mutilation", "torture", "tortured", "corpse", "corpses",
    "dead body", "dead bodies", "dead child", "dead baby", "massacre", "genocide", "lynching", "execution of",
    "school shooting", "mass shooting", "suicide", "self harm", "hanging himself", "hanging herself",
    "cutting herself", "cutting himself", "swastika", "nazi", "nazis", "hitler", "ku klux klan", "kkk",
    "white supremacist", "white supremacy", "isis flag", "fuck", "fucked", "fucking", "shit", "bitch", "cunt",
    "whore", "slut",
)  # fmt: skip
"""Sexual, cruel, hateful and abusive terms. English only and far from complete: operators add their own."""

HASHED_SLURS = frozenset({
    "1ea1574210a081be", "2a4424e5b1d5e2ab", "5223959f6e3b4e37", "7446bfd0daac4147", "8196feb35bb34f53",
    "8f18b01c1486a6ca", "8f3868450c935994", "903ef3c57623e0bb", "a18543bf67c29ef8", "b17aa7c12e8b4246",
    "ce8af168e5ab8024", "db83811ad1b9bf7f", "fb7300ca8f745d80",
})  # fmt: skip
"""Slurs against groups of people, as BLAKE2b hashes of 8 bytes, so that nobody has to read them here."""
