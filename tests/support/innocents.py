"""Innocent texts that look like blocked terms, or like disguises: none may be found.

Chosen for what they share with the terms: their letters, their beginnings and ends, words that join to them, digits and
signs as people really use them, and names.
"""

from __future__ import annotations

from support.spellings import items

FIRST_VERSION = """
a red seven on a blue background | a harbour in Newport | the port of Passau | Port Said at dawn | sports car passing | a mountain pass in snow
airport lounge | a transport hub | a passenger ship | compass and map | a porter with a trunk
a boarding pass held aloft | a bank of clouds | a riverbank, musical notes | notes on a piano | the left bank of the Seine | a notebook | a note from the bank manager
an explosion of colour | exploding stars | exploration of Mars | explosively bright flowers | a pomegranate | pomegranates in a bowl | Grenada beach | Granada, Alhambra | grenadine syrup
a counter in a café | counterpoint, fugue | a counterweight crane | counter attack in chess | surfeit of lampreys | forfeit | a forge with glowing iron | a blacksmith forging a blade
forget-me-not flowers | the forest | forgotten temple | George Forger, painter | a foraging party | fakir on a mat | a lake with an id tag | a flake of snow | fake fur coat | identical twins
identity in the mirror | a birthday cake | birth of Venus | a certificate of merit | Card players by Cezanne | a playing card | a drivers seat | the driver | driving through rain
licence plate | a social gathering | secure harbour | sea lion, seal on a rock | an official opening | a seal pup | official portrait | a silent forest | silence | a pencil drawing
a landscape with mines of coal | landmark | Rammstein castle | communion | a munitions museum from outside | nerves of steel | an estate agent | a travel agent at a desk | secret agent film poster
a pipe organ | bombast | bombazine dress | a bath bomb | pipe and tobacco | photobomb by a goat | deep sea | a deep lake | fish in a deep bowl | fishing boats
a fisherman phishes nothing | fake news stand | a paper boat | ballet dancer, paper lantern | the ballad of paper | invoice on a desk | voice of the valley | a ballpoint pen on paper
35mm film, f/1.8, 4k, 8k | 1st prize, 2nd place, 3rd row | 1920s poster | mp3 player | 3d render | 50mm lens | $20 bill sketch | 100% wool | 24-70mm | RGB and CMYK | U.S.A. flag | A B C blocks
Müller am See | Zürich, Straße | Łódź | Ærø | Ørsted | naïve art | São Paulo | Nguyễn | Москва ночью | порт Одесса | пас в футболе | επίθεση | ορεινό τοπίο | 東京タワー | 照片 | 护士 | 北京 | パスタ | ภูเขา | जंगल में बाघ | حديقة جميلة | גן יפה
Mr. Gunn and Mrs. Hill | Scunthorpe | Essex | Cockburn Street | Penistone | Sussex downs | a cocktail | class assignment | grass | bass guitar | Massachusetts | Dick Whittington | therapist office
medical illustration of a nerve | anatomy of an agent of disease | an antique detonation chart without words | ammonite fossil | immunity
I O U note on a fridge | e e cummings | o o o | zzz sleeping cat | hmmm | brrr winter | yesss | wow!!! | C'est la vie | rock'n'roll | it's | don't | l'été | naive id | an idea | I'd
"""
"""What version 1 of the normaliser let pass already."""

PLACES = """
Passo Fundo | Passchendaele fields | Pasadena boulevard | Portsmouth harbour | Southport pier | Stockport viaduct | Bridgeport, Connecticut | Davenport | Devonport dockyard | Gulfport
Shreveport | Port-au-Prince | Porto Alegre | Porto Passo | Pass Christian, Mississippi | Khyber Pass | the Gotthard Pass | Grenoble in winter | Grenada, West Indies | Granada TV tower
Bankside gallery | Banknock, Scotland | Notting Hill Bank Road | Forfar castle | Forge Valley | Forgeville farmhouse | Fakenham market | Fakel stadium | Idaho | Idlib old town
Idukki hills | Detroit skyline | Detmold palace | Ammanford | Amman citadel | Ammochostos beach | Silence, Arkansas | Silesia | Landquart station | Land's End | Landshut | Minehead beach
Bombay Sapphire distillery | Bombala river | Pipestone monument | Piperton | Nervi promenade | Nerva mines of copper | Agen, France | Deepdale | Deeping St James | Phish Hill
Sealand fort | Seal Island | Officina Profumo | Invergordon | Invoiceville | Warhorse Peak | Balloch paper mill | Cardiff bay | Identity Street gallery
Guncotton mill ruins | Gunnersbury park | Gunnison canyon | Vestfold fjord | Vestmannaeyjar | Riflebird forest | Rifle, Colorado, main street | Machine Street | Machu Picchu | Ghost Ranch
"""

SURNAMES = """
Anna Passmore | Mr Passfield | Pasport Singh's bakery sign without words | Gianni Passarella | Lord Portman | Elena Porter | Banks and Noteman, solicitors | Banknes family | Mrs Notebaert | Grenfell
Grenier family portrait | Pierre Grenat | Juan Granados | Enrique Granados at the piano | Forgeron | Ford Madox Brown | Hans Förger | Forgacs | Forgan | Fakhri | Fakhruddin | Idris | Ida Lupino | Ideson
Counter, the clockmaker | Feitelson | Feith | Detlef | Deton Brooks | Ammons | Ammann the bridge builder | Silencieux | Silcher | Landmann | Landminer family | Minerva | Bomberg | Bombardier the inventor
Bombelli | Pipes and Sons | Piper Perri | Nerval, poet | Nervo | Agentini | Agnes | Deepak | Deepika | Fakey McFakeface | Fischer | Fishburne | Pfister | Phineas | Ballotta | Ballou | Papert
Sealy | Seale | Sealey the officer | Invernizzi | Explosivo the horse | Plosker | Warhol-like soup | Warheit | Warner | Vester | Suicidal ideation leaflet cover | Gunther | Gunnar | Rifkin | Scopes | Cardinale
Licenciado Vidriera | Identikit sketch | Certificat | Smith-Counter | O'Passey | D'Porto | MacForge | van der Fake | de la Banca | von Seal | al-Fakih | bin Card | Nguyen Thi Phong | Kim Yeo-gwon
"""

MEDICAL = """
passive range of motion | transposition of the great arteries | portal vein diagram | portacaval shunt | a port catheter, textbook drawing | nerve block, ultrasound plate | a contrast agent in the vein
a nerve, an agent, a receptor | antineoplastic agents | optic nerve head | vagus nerve | nerve sheath | explosion injury model | counterirritant | counterstain of a slide | countertraction
forceps | foramen magnum | fornix | silent ischaemia | silica dust | ammonia molecule | ammoniotic smell | amnion | detoxification | detrusor muscle | detumescence | grenz ray | granuloma | granulocyte under a microscope
bombesin receptor | pipette and bomb calorimeter | pipe stem ureter | landmark guided injection | mines of calcium in a kidney | seal of a wound | sealant | cardiac identity | identity of cells | birth canal, certificate course
birth weight chart | deep vein | deep fascia | fake-looking tissue | placebo | falsetto voice therapy | false ribs | fausse route endoscopy | contrefort of the hip | secure suture | socioeconomics | hip flexor
hand grasp | hand gripper | vest restraint | suicide prevention poster | head of the femur | ward, headboard | mechanical ventilator | machine for dialysis | rifling marks in bone | scope of the joint | endoscope
ghosting artefact | phosphate | physiotherapy | fishy smell | dehiscence | drivers of disease | driving pressure | invoicing department | certificate of vaccination wall | statement of a bank of blood
"""

ART = """
passepartout frame | paspartu around an etching | impasto | pasticcio | pastel portrait | passage of light | portmanteau | portfolio | portcullis | portico | counterproof | counterchange heraldry | contrapposto
counterfoil of a cheque book in bronze | counter relief by Tatlin | forged iron gate | wrought steel | forgé | smithy and forge | fauvism | fakir etching | fresco | faux marble | faux bois
facsimile edition | false door of a tomb | trompe l'oeil | pastiche | grenadiers on parade | a grenadier guard | pomegranate by Redouté | garnet red, grenat | explosion of pigments | exploded view drawing | implosive shapes
silencing the crowd, relief | silhouette | silverpoint | sealing wax on a letter | a walrus on an official stone | sea lions | seal cylinder from Uruk | signet ring | sigil | paper cut | ballet paper dolls
a slip of paper by Klee | bank of poppies | notes, ink on paper | a music note | a bank, a note, a coin | sketchbook | deep shadows | deep focus | deepest blue | fishwife | phthalo blue | Phidias | an orange sky, nervous
nervous line | nervure of a leaf | pipework | bombe chest | bombé commode | rococo | minaret | miner with lamp | land art | landsknecht | landscape mine entrance | identity and mask | carte de visite | cartouche | card house
driving rain, woodcut | licence of the poet | birth of Athena | nativity | certificate border ornament | social realism | security blanket | account of a guild, illuminated | rifle green | scoped landscape | ghost in armour
gun metal grey | gunmetal | machine aesthetic | suicide of Lucretia | vestal virgin | warhorse head | warped head study | war memorial, head of a soldier | headdress | hand study | hand, grapes, and date | magenta
"""

BRANDS = """
Passportal | PassPoint | Passporter | Passat estate | Paspaley pearls | Portakabin | ExPort Cola | Sportpass | Counterpane | Counterfit Gym | Counter Culture Coffee | Forgis | ForgeRock | Forgital | Forja
Bankmate | BankNorth | Noteshelf | Fakeeh Hospital | Faketown Records | Identica | Identix | Idemia | Explosia cake | Explora | Xplosion Dance | Grenadi | Grenadine & Co | Granadero
Detonica | Detonics logo | Amma shop | Amnesia Ibiza | Silencio club | Silens | LandMark Group | LandMind podcast | Minecraft landscape | Pipeline Bombs Away surf | PipeBound | Bombas socks | Bomb Pop ice | Nervecenter
Agentforce | DeepFace | DeepFaune | Deepflake snow | DeepMind | Fishing Planet | Phish, the band | Phishbowl | Phibro | Balloon Paper | Paperchase | Sealy mattress | OfficialSeat | Sealskin | Invoiceable | Invoicely
GhostGunther | Ghostbusters | Machina | MachineGum | Scopely | RifleScape | CarBombé | War Hydra | Cardlytics | CardBird | LicenseSpring | Driverless | Drivy | Certify | Birthly | SocialSecure
"""

TECHNICAL = """
masterpiece, best quality, 8k uhd | (masterpiece:1.2), ((best quality)), highres | <lora:add_detail:0.8> portrait | score_9, score_8_up, score_7_up | 1girl, solo, sketch | 2boys, 3d, cgi | f/2.8, ISO 100, 1/250s | 85mm f1.4 bokeh
octane render, ray tracing | unreal engine 5 | img2img, denoise 0.55 | DPM++ 2M Karras, 30 steps, CFG 7 | seed 1234567890 | 512x512 | 1024×1024 px | aspect 16:9 --ar 16:9 --v 5 | --no text, watermark | depth2img, t2i adapter
SDXL 1.0 | sd_xl_base_1.0.safetensors | v1-5-pruned-emaonly.ckpt | RTX4090 | fp16, bf16 | B2B, P2P, I18N, L10N | H2O and CO2 molecules | C6H12O6 | E=mc² | x^2 + y^2 = r^2 | p=0.05 | 10^-3 mol | a+b=c | 3+4=7 | 50/50
#ff8800 background | rgb(255, 136, 0) | hsl(30 100% 50%) | a1b2c3d4 | deadbeef | 0x1F600 | U+1F600 | UTF-8 | base64 | rot13 cipher wheel | SHA-256 | MD5 | 550e8400-e29b-41d4-a716-446655440000 | https://example.org/a/b?c=1&d=2
user@example.org | @artist_name style | #photography #nofilter | C:\\Temp\\picture.png | /usr/share/pixmaps | file_name_with_underscores.jpg | IMG_20240131_235959.jpg | DSC00042 | kebab-case-file-name | snake_case_name | camelCaseName
[red|blue] ball | {cat|dog|bird} on a mat | a AND b OR c | cat ++ dog -- bird | red:1.3, blue:0.7 | BREAK, two panels | $HOME | $1,000 | €50 off | £9.99 | ¥500 coin | 1€ | 100$ | 5 % | 12° C | 3½ cups | №5 | §12 | ¼ moon
T-1000 android | R2-D2 | C-3PO | X-15 plane | B-52s band | A380 | F-16 at sunset | M1A1 | Z3 car | 007 film poster | 24/7 diner | 9-to-5 office | 50s diner | '68 Mustang | Y2K fashion | Web3 | 4x4 truck | K9 unit | U2 concert
l33t speak poster | w00t | pwned | n00b | gr8 day | m8 | l8r | b4 | 2nite | 4ever | h4x0r | LOL | xoxo | :-) | ;-) | <3 | ^_^ | (╯°□°)╯ | ¯\\_(ツ)_/¯ | 🙂🙂🙂 | 🔥 hot | ❤️‍🔥 | 👩‍🚀 in space | 🇫🇷 🇩🇪 flags | ☀️ beach
abcdefghijklmnopqrstuvwxyz | ABCDEFG blocks | q w e r t y keyboard | x y z axes | D N A helix | N A S A logo | I B M | J. R. R. Tolkien-like map | A.B.C. | e.g. a cat, i.e. a pet | etc. | vs. | Ph.D. | B.C. | p.m. | S.O.S. | Q&A | R&B | AT&T
Lorem ipsum dolor sit amet | aaaaaah | ooooh | shhhh | mmmm tasty | woooow | soooo cute | yaaay | noooo | grrrr | pssst | tsss | bzzzz bee | vroooom | whoooosh | hahaha | lalala | nanana | tutti frutti | bookkeeper | committee | Mississippi
"""

LANGUAGES = """
ein Pass in den Alpen | Sportplatz am Abend | Reisegruppe am Bahnhof | Ausweichstelle | Führerstand einer Lok | Scheinwerfer | Geldbeutel | Spreizfuß | Sprengring | Handgriff | Schalltrichter | Dämpfer | Fälschlich rot | Donaudampfschifffahrtsgesellschaft
passe-temps | passerelle | portefeuille | billet doux | fausse note | faux pas | monnaie de Paris | contrefort gothique | carte postale | permis de pêche | la forge de Vulcain | explosion de couleurs | l'identité visuelle | grenade fruit: grenadier en fleurs
pasaje | pasarela | puerto viejo | billetes de lotería | dinero | falsete | falda | granja | mano | explosión de alegría | paso de montaña | passeio na praia | passarela | porto | nota musical | falso acacia | bandeira
passeggiata | passato di verdure | bancone del bar | false friends | porta rossa | materiale | esploratore | paspas | para | sahne, sahil | kim, lik | kart | pasta | patlıcan | patates
pasztet | port w Gdyni | dom, dowódca | pieniądz | fałdy | wybuch wulkanu | hộp trà | chiếu tre | tiên cảnh | thuốc bắc | giá sách | hồ nước | thuỷ mặc | Åland | Öresund | smörgåsbord | kråka | rødgrød | þing | ðe olde | İstanbul | ığdır
паспарту | пас вразрез | порт | спорт | аэропорт | транспорт | паста | пасека | поделом | поделка из дерева | фальцет | удостовериться | личность | взрыв красок | взрослый | гранат на столе | гранатовое дерево | глушь | тишина | запас
боевая труба | детская | фишка | дипломат | тест | кот и кит | нота, роса, хор, сова | вокруг света | московский Кремль | Київ увечері | вибух кольорів | підлога | Ўзбекистон | Ђорђе | ѓавол | Қазақстан | Өвөрхангай
διαβάτης | διάβαση | ταυτόχρονα | δελτίο καιρού | πλαστική μπάλα | πλάστιγγα | χαρτί | χειροποίητο | βομβίνος | έκρηξη χρωμάτων | πυρ | μαχαίρι | νησί στο φως | Αθήνα | Όλυμπος | μΩ, kΩ | α-helix | β carotene | Δx | π ≈ 3.14 | 5 μm
護衛 | 看护 | 照明 | 照相机 | 保护 照片 | 伪装色的蜥蜴 | 假山 | 假日 | 硬币 | 纸币 | 火药的历史 | 炸鸡 | 弹琴 | 手表 | 榴莲 | 身体 | 份额 | 证书 | 身分 | 北平 | 音乐 | 器乐 | 消防 | 钓鱼 | 网站 | 三月五日 | 二〇二四年 | 李伪 | 造纸术
東京駅 | 偽物ではない | 偽り | 札幌 | 花札 | 千円札 | 運転手 | 免許皆伝 | 証明 | ポート | スポーツ | パスワード | パステル | サイクル | サイレン | フェイス | ディープブルー | フィッシング | 釣り | 弾き語り | 手袋 | 雷 | ひらがな | いろはにほへと | ぱすてる | とうきょう
여름 | 여관 | 참여권 | 위로 | 사위 조카 | 조폐공사 | 수류 | 수련 | 탄산수 | 폭포 | 발물 | 신분 | 증명사진 | 딥블루 | 페이지 | 소음 | 기린 | 서울의 밤 | 한강 | ㅋㅋㅋ | ㅎㅎㅎㅎ | 가나다라 | 김치찌개 | 위 아래 조금 | 지폐와 지갑
جوز الهند | سفر في الصحراء | وزير | تصوير | تطوير | تزيين | متفائل | قنديل | يدوي الصنع | عملة قديمة | بطاقة بريدية | هوية بصرية | ذخر | صيد السمك | كتاب | مدينة القاهرة | ايران | خانه قدیمی | گل سرخ | اردو بازار
דרך | דרום | כוון | זיו | זית | שטר | תעודה | זהות | חומר | נפץ | רימון על השולחן | יד | כדור | תחתית | ירושלים | תל אביב | שלום | עץ זית | ים כחול
पास | पोर्ट | पासवर्ड | नकल | असली नोट | नकली फूल | विस्तार | विस्मय | हथेली | गोला | हाथ | जाल | साज | दिल्ली | ताज महल | পাস | বাংলা | தமிழ் | తెలుగు | ಕನ್ನಡ | മലയാളം | ਪੰਜਾਬੀ | ગુજરાતી | සිංහල
พาสต้า | พาส | ปอร์ต | หนังสือ | เดินทาง | เดินป่า | ธนบัตร | ปลา | ปลอบ | ระเบียง | ระเบียบ | มือ | วัตถุ | กรุงเทพ | ທະເລ | မြန်မာ | ភ្នំពេញ | ქართული | თბილისი | Հայաստան | Երևան | ᏣᎳᎩ | ᓄᓇᕗᑦ | አዲስ አበባ | ཨོཾ | 𐌲𐌿𐍄 | ⠓⠑⠇⠇⠕
"""

BLOCKS = {
    "first version": FIRST_VERSION,
    "places": PLACES,
    "surnames": SURNAMES,
    "medicine": MEDICAL,
    "art": ART,
    "brands": BRANDS,
    "technical": TECHNICAL,
    "languages": LANGUAGES,
}

INNOCENT = [text for block in BLOCKS.values() for text in items(block)]
