"""Codes of languages: ISO 639-1 (two letters), and the three letters of ISO 639-2/T that MP4 wants."""

from __future__ import annotations

from typing import Final

UNDETERMINED: Final = "und"

_PAIRS: Final = (
    "aaaar ababk aeave afafr akaka amamh anarg arara asasm avava ayaym azaze babak bebel bgbul bibis bmbam bnben bobod brbre "
    "bsbos cacat ceche chcha cocos crcre csces cuchu cvchv cycym dadan dedeu dvdiv dzdzo eeewe elell eneng eoepo esspa etest "
    "eueus fafas ffful fifin fjfij fofao frfra fyfry gagle gdgla glglg gngrn guguj gvglv hahau heheb hihin hohmo hrhrv hthat "
    "huhun hyhye hzher iaina idind ieile igibo iiiii ikipk ioido isisl itita iuiku jajpn jvjav kakat kgkon kikik kjkua kkkaz "
    "klkal kmkhm knkan kokor krkau kskas kukur kvkom kwcor kykir lalat lbltz lglug lilim lnlin lolao ltlit lulub lvlav mgmlg "
    "mhmah mimri mkmkd mlmal mnmon mrmar msmsa mtmlt mymya nanau nbnob ndnde nenep ngndo nlnld nnnno nonor nrnbl nvnav nynya "
    "ococi ojoji omorm orori ososs papan pipli plpol pspus ptpor quque rmroh rnrun roron rurus rwkin sasan scsrd sdsnd sesme "
    "sgsag shhbs sisin skslk slslv smsmo snsna sosom sqsqi srsrp ssssw stsot susun svswe swswa tatam tetel tgtgk ththa titir "
    "tktuk tltgl tntsn toton trtur tstso tttat twtwi tytah uguig ukukr ururd uzuzb veven vivie vovol wawln wowol xhxho yiyid "
    "yoyor zazha zhzho zuzul"
)
_BIBLIOGRAPHIC: Final = (
    "tibbod czeces welcym gerdeu greell baqeus perfas frefra armhye iceisl geokat maomri macmkd maymsa burmya dutnld rumron "
    "sloslk albsqi chizho"
)
_LONG: Final[dict[str, str]] = {pair[:2]: pair[2:] for pair in _PAIRS.split()}
_SHORT: Final[dict[str, str]] = {long: short for short, long in _LONG.items()}
_TERMINOLOGIC: Final[dict[str, str]] = {pair[:3]: pair[3:] for pair in _BIBLIOGRAPHIC.split()}


def is_language(code: str) -> bool:
    """Two letters must be in the list; of three, any are taken: there are thousands, and new ones."""
    return code in _LONG or (len(code) == 3 and code.isascii() and code.isalpha() and code.islower())


def three_letters(code: str) -> str:
    """The one name of a language, by which two tracks are compared: "en", "eng" → "eng"; "fr", "fra", "fre" → "fra"."""
    return _LONG.get(code) or _TERMINOLOGIC.get(code, code)


def shortest(code: str) -> str:
    """As browsers and playlists write it (BCP 47): two letters where there are two."""
    return _SHORT.get(three_letters(code), code)
