"""Blocked terms in disguise, written by hand: by people, in the scripts that people write."""

from __future__ import annotations


def items(block: str) -> list[str]:
    """What stands between bars in `block`, line by line."""
    return [item for line in block.strip("\n").split("\n") for item in line.split(" | ")]


FIRST_VERSION = """
c0unterfeit money | counterfe1t money | C0UNTERFE1T | cöunterfeit | c o u n t e r f e i t | c.o.u.n.t.e.r.f.e.i.t
c-o-u-n-t-e-r-f-e-i-t | c_o_u_n_t_e_r_f_e_i_t | c*o*u*n*t*e*r*f*e*i*t | c🙂o🙂u🙂n🙂t🙂e🙂r🙂f🙂e🙂i🙂t
counter-feit | counter feit | coun.ter.feit | counterfeiiiit | ccccounterfeit | counterfeit! | (counterfeit:1.3)
ＣＯＵＮＴＥＲＦＥＩＴ | 𝐜𝐨𝐮𝐧𝐭𝐞𝐫𝐟𝐞𝐢𝐭 | 𝓬𝓸𝓾𝓷𝓽𝓮𝓻𝓯𝓮𝓲𝓽 | ⓒⓞⓤⓝⓣⓔⓡⓕⓔⓘⓣ | 🅒🅞🅤🅝🅣🅔🅡🅕🅔🅘🅣 | 🅲🅾🆄🅽🆃🅴🆁🅵🅴🅸🆃 | 🇨 🇴 🇺 🇳 🇹 🇪 🇷 🇫 🇪 🇮 🇹
cоunterfeit | соunterfеit | сοunterfеіt | ᴄᴏᴜɴᴛᴇʀғᴇɪᴛ | ⒞⒪⒰⒩⒯⒠⒭⒡⒠⒤⒯
p a s s p o r t | a p a s s p o r t | P.A.S.S.P.O.R.T | pa$$port | p@ssport | p@$$p0rt | P4SSP0R7 | passp0rt2 | 1passport
passport1 | passport007 | pass9port | passport|blue | passport+blue | blue+passport | passport@home | passsssport | passportttt
p\u00e1ssp\u00f3rt | p̶a̶s̶s̶p̶o̶r̶t̶ | p̲a̲s̲s̲p̲o̲r̲t̲ | pas\u00adsport | pas\u200bsport | p\u200ca\u200ds\u2060sport | \u202epassport\u202c | \ufeffpassport
pass\ufe0fport | p\u034fassport | p\U000e0061assport | рaѕѕрort | раssроrt | ρassροrt | pαssport | passpοrt | ПАЅЅРОRТ
pass-port | pass_port | pass port | pass/port | pa.ss.po.rt | PassPort | fake p a s s p o r t | f4ke p4ssp0rt | f a k e id
fake-id | fake_id | fake   id | FAKE\u2028ID | fake\tid | f@ke id | fаke id | fake ID card | \u2066fake\u2069 id
b4nkn0te | b a n k n o t e s | bank-note | bank note | bankn0t3s | b@nknote | bänknöte | ban\u200bknote | bank.note
expl0sive | exp1osive | expl0s1ve | expl0s!ve | explos|ve | 3xplosive | e x p l o s i v e | e.x.p.l.o.s.i.v.e | explosiveeee | EXPLOSIVES!!!
gr3nade | gren4de | g r e n a d e s | hand gren@de | p1pe b0mb | pipe-bomb | pipebomb | p i p e  b o m b | nerve-agent | n3rve 4gent
det0nator | d e t o n a t o r | deton\u0430tor | amm0 ammunit1on | s1lencer | sil€ncer | landm1ne | land mine | land-mines
deep-fake | deepf4ke | d33pfake | ph1shing | p h i s h i n g | b4llot paper | ballot-paper | offici4l seal | off1cial se4l | b1rth cert1f1cate
护照 | 护 照 | 护-照 | 一本护照的照片 | 护\u200b照 | 偽造 | 偽 造 パスタ | 偽造された写真 | 伪钞 | 伪、钞
паспорт | ПАСПОРТ | па\u0301спорт | п а с п о р т | п.а.с.п.о.р.т | паспорт1 | пас\u200bпорт
"""
"""What version 1 of the normaliser found already."""

BY_SCRIPT = {
    "Latin": """
official sea1 on wax | off1c1a1 sea1 | b1rth certif1cate | p1pe b0mb | soc1a1 secur1ty card | nerve 4 g e n t
f a k e i d | m y f a k e i d c a r d | ʇɹodssɐd ɐ ɟo oʇoɥd | ǝʌısoןdxǝ | cGFzc3BvcnQ= on a table | cnffcbeg cubgb
#FakePassport | myFakePassport.png | siIencer on a table | pa55p0rt | РASSPORT | Ｆａｋｅ　ＩＤ | p\u200ba\u200bs\u200bs\u200bp\u200bo\u200br\u200bt | \u202etropssap\u202c
ausweis, Personalausw3is | Reise-pass | Führersch€in | F A L S C H G E L D | p4sseport | p.a.s.a.p.o.r.t.e | bil1etes falsos | Sprengst0ff
""",
    "Cyrillic": """
п а с п о р т гражданина | пасп0рт | п@спорт | п4спорт | пacпopт | ПAСПOРT | пас-порт | паааспорт | гр@ната | гр4ната
п🙂а🙂с🙂п🙂о🙂р🙂т | па́спо́рт | взрыв\u00adчатка | в.з.р.ы.в.ч.а.т.к.а | фальшивые_деньги | ФИШИНГ!!! | глушитель2 | под-делка
""",
    "Greek": """
διαβατήριο | ΔΙΑΒΑΤΗΡΙΟ | δ ι α β α τ η ρ ι ο | δια-βατήριο | διαβατ\u200bήριο | διαβaτήριo | εκρηκτικά | ε.κ.ρ.η.κ.τ.ι.κ.ά
πλαστογραφία | χειροβομβίδα!!! | διαβατήρι0 | διααααβατήριο
""",
    "Han": """
护照 | 护 照 复印件 | 护.照 | 護照 | 假~币 | 假🙂币 | 身 份 证 | 身份證 | 护1照 | 护x照 | ⼿榴弹 | 炸💣药 | 手·榴·弹
""",
    "Kana": """
ぱすぽーと | パ ス ポ ー ト | ﾊﾟｽﾎﾟｰﾄ | パス・ポート | パ🙂ス🙂ポ🙂ー🙂ト | ハ\u309aスホ\u309aート | サ イ レ ン サ ー | でぃーぷふぇいく | ﾃﾞｨｰﾌﾟﾌｪｲｸ | 偽 札 | 偽・札
""",
    "Hangul": """
여권 | 여 권 | 여-권 사진 | 위 조 지 폐 | 위조·지폐 | 위조\u200b지폐를 | 여권을 든 손 | 수.류.탄 | 딥 페 이 크 | 신분증2 | 위🙂조🙂지🙂폐
""",
    "Arabic": """
جواز سفر | جَوَازُ سَفَرٍ | جـــواز ســفر | ج و ا ز   س ف ر | متفجـرات | م.ت.ف.ج.ر.ا.ت | تزويرررر | تز\u200cوير | ت🙂ز🙂و🙂ي🙂ر | تزویر | ذخيـــرة
""",
    "Hebrew": """
דרכון | דַּרְכּוֹן | ד ר כ ו ן | ד.ר.כ.ו.ן | דר\u200fכון | דרכון1 | חומר-נפץ | חומר_נפץ | ז🙂י🙂ו🙂ף | זיווווף | דרכווון
""",
    "Devanagari": """
पासपोर्ट | पा स पो र्ट | पा-स-पो-र्ट | पास\u200cपोर्ट | पासपोर्ट2 | नकली-नोट | नकली_नोट | विस्फो\u200dटक | हथ-गोला | पास पोर्ट
""",
    "Thai": """
พาสปอร์ต | พา ส ปอร์ต | พาสปอร์ต2 | ภาพพาสปอร์ตสีน้ำเงิน | พาส\u200bปอร์ต | พาส-ปอร์ต | หนังสือเดินทาง | หนังสือ เดินทาง | ธนบัตร.ปลอม
""",
}
"""Evasions that the tests of version 2 add, by the script of the term."""

ALL = items(FIRST_VERSION) + [text for block in BY_SCRIPT.values() for text in items(block)]
