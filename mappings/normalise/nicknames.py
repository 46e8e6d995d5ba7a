"""Short forms of given names in English and German, by the name they stand for: Bob and Robert are one name."""

from __future__ import annotations

_FORMS = """
robert bob bobby rob robbie
william bill billy will willie liam
elizabeth liz lizzie beth betty betsy eliza libby lisbeth
margaret peggy maggie meg marge greta
michael mike mick mickey micha
james jim jimmy jamie
john jack johnny
thomas tom tommy
richard dick rick ricky rich richie
christopher chris kit
christina tina christine chrissie
susan sue susie suzie
edward ted eddie ed ned teddy
patricia pat patty tricia trish
patrick paddy
david dave davy
katherine kate kathy katie kathryn catherine cathy kat
anthony tony
joseph joe joey
charles charlie chuck
daniel dan danny
matthew matt
steven steve stephen stevie
andrew andy drew
kenneth ken kenny
ronald ron ronnie
timothy tim timmy
jeffrey jeff geoff geoffrey
gregory greg
samuel sam sammy
benjamin ben benny
nicholas nick nicky
alexander alex alec sasha xander
jonathan jon
donald don donny
raymond ray
lawrence larry laurence
gerald gerry jerry
leonard leo len lenny
frederick fred freddie freddy
peter pete
philip phil phillip
vincent vince
walter walt
theodore theo
jennifer jen jenny
jessica jess jessie
rebecca becky becca
deborah debbie deb debra
barbara barb barbie
victoria vicky vicki tori
samantha sammie
amanda mandy
pamela pam
cynthia cindy
sandra sandy
stephanie steph
kimberly kim
jacqueline jackie
abigail abby gail
alexandra lexi alexa
veronica ronnie
dorothy dot dottie
eleanor ellie nell nora
florence flo
frances fran fanny
judith judy
theresa terry tess
virginia ginny
zachary zach zack
joshua josh
nathaniel nate nathan
maximilian max
sebastian basti
johannes hannes
wolfgang wolf
friedrich fritz
heinrich heinz
josef sepp
katharina kathi kaethe
susanne susi
hildegard hilde
"""
_ROOTS: dict[str, str] = {}
for _line in _FORMS.split("\n"):
    for _form in _line.split():
        _ROOTS.setdefault(_form, _line.split()[0])


def root_name(given: str) -> str:
    """The full form of a folded given name, by its first word: "bob" and "robert" → "robert"; others as they are."""
    first = given.split(" ", 1)[0]
    return _ROOTS.get(first, first)
