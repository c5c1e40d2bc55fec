# fold.awk - folds a name: removes what people overlook, that is case, accents and how these are stored, and blanks at
# its ends. Two names that fold to the same text look the same. Bytes in (LC_ALL=C). Runs before another program, as
# width.awk does.
#
# Letters of Latin, Greek, Cyrillic, Armenian, Arabic and Kana are in the table, by what they fold to; Hangul is
# computed. The table was made from Unicode's data: canonical decompositions without their marks, then case folding. A
# test compares.

BEGIN {
  for (byte = 1; byte < 256; byte++) code_of_byte[sprintf("%c", byte)] = byte
  folds_to("a", "ÀÁÂÃÄÅàáâãäåĀāĂăĄąǍǎǞǟǠǡǺǻȀȁȂȃȦȧḀḁẠạẢảẤấẦầẨẩẪẫẬậẮắẰằẲẳẴẵẶặÅ")
  folds_to("b", "ḂḃḄḅḆḇ")
  folds_to("c", "ÇçĆćĈĉĊċČčḈḉ")
  folds_to("d", "ĎďḊḋḌḍḎḏḐḑḒḓ")
  folds_to("e", "ÈÉÊËèéêëĒēĔĕĖėĘęĚěȄȅȆȇȨȩḔḕḖḗḘḙḚḛḜḝẸẹẺẻẼẽẾếỀềỂểỄễỆệ")
  folds_to("f", "Ḟḟ")
  folds_to("g", "ĜĝĞğĠġĢģǦǧǴǵḠḡ")
  folds_to("h", "ĤĥȞȟḢḣḤḥḦḧḨḩḪḫẖ")
  folds_to("i", "ÌÍÎÏìíîïĨĩĪīĬĭĮįİǏǐȈȉȊȋḬḭḮḯỈỉỊị")
  folds_to("j", "Ĵĵǰ")
  folds_to("k", "ĶķǨǩḰḱḲḳḴḵK")
  folds_to("l", "ĹĺĻļĽľḶḷḸḹḺḻḼḽ")
  folds_to("m", "ḾḿṀṁṂṃ")
  folds_to("n", "ÑñŃńŅņŇňǸǹṄṅṆṇṈṉṊṋ")
  folds_to("o", "ÒÓÔÕÖòóôõöŌōŎŏŐőƠơǑǒǪǫǬǭȌȍȎȏȪȫȬȭȮȯȰȱṌṍṎṏṐṑṒṓỌọỎỏỐốỒồỔổỖỗỘộỚớỜờỞởỠỡỢợ")
  folds_to("p", "ṔṕṖṗ")
  folds_to("r", "ŔŕŖŗŘřȐȑȒȓṘṙṚṛṜṝṞṟ")
  folds_to("s", "ŚśŜŝŞşŠšſȘșṠṡṢṣṤṥṦṧṨṩẛ")
  folds_to("t", "ŢţŤťȚțṪṫṬṭṮṯṰṱẗ")
  folds_to("u", "ÙÚÛÜùúûüŨũŪūŬŭŮůŰűŲųƯưǓǔǕǖǗǘǙǚǛǜȔȕȖȗṲṳṴṵṶṷṸṹṺṻỤụỦủỨứỪừỬửỮữỰự")
  folds_to("v", "ṼṽṾṿ")
  folds_to("w", "ŴŵẀẁẂẃẄẅẆẇẈẉẘ")
  folds_to("x", "ẊẋẌẍ")
  folds_to("y", "ÝýÿŶŷŸȲȳẎẏẙỲỳỴỵỶỷỸỹ")
  folds_to("z", "ŹźŻżŽžẐẑẒẓẔẕ")
  folds_to("æ", "ÆǢǣǼǽ")
  folds_to("ø", "ØǾǿ")
  folds_to("ǆ", "Ǆǅ")
  folds_to("ǉ", "Ǉǈ")
  folds_to("ǌ", "Ǌǋ")
  folds_to("ǳ", "Ǳǲ")
  folds_to("ʒ", "ƷǮǯ")
  folds_to("α", "ΆΑάἀἁἂἃἄἅἆἇἈἉἊἋἌἍἎἏὰάᾀᾁᾂᾃᾄᾅᾆᾇᾈᾉᾊᾋᾌᾍᾎᾏᾰᾱᾲᾳᾴᾶᾷᾸᾹᾺΆᾼ")
  folds_to("β", "Βϐ")
  folds_to("ε", "ΈΕέϵἐἑἒἓἔἕἘἙἚἛἜἝὲέῈΈ")
  folds_to("η", "ΉΗήἠἡἢἣἤἥἦἧἨἩἪἫἬἭἮἯὴήᾐᾑᾒᾓᾔᾕᾖᾗᾘᾙᾚᾛᾜᾝᾞᾟῂῃῄῆῇῊΉῌ")
  folds_to("θ", "Θϑϴ")
  folds_to("ι", "ΊΐΙΪίϊἰἱἲἳἴἵἶἷἸἹἺἻἼἽἾἿὶίιῐῑῒΐῖῗῘῙῚΊ")
  folds_to("κ", "Κϰ")
  folds_to("μ", "µΜ")
  folds_to("ο", "ΌΟόὀὁὂὃὄὅὈὉὊὋὌὍὸόῸΌ")
  folds_to("π", "Πϖ")
  folds_to("ρ", "ΡϱῤῥῬ")
  folds_to("σ", "Σς")
  folds_to("υ", "ΎΥΫΰϋύὐὑὒὓὔὕὖὗὙὛὝὟὺύῠῡῢΰῦῧῨῩῪΎ")
  folds_to("φ", "Φϕ")
  folds_to("ω", "ΏΩώὠὡὢὣὤὥὦὧὨὩὪὫὬὭὮὯὼώᾠᾡᾢᾣᾤᾥᾦᾧᾨᾩᾪᾫᾬᾭᾮᾯῲῳῴῶῷῺΏῼ")
  folds_to("ϒ", "ϓϔ")
  folds_to("а", "АӐӑӒӓ")
  folds_to("г", "ЃГѓ")
  folds_to("е", "ЀЁЕѐёӖӗ")
  folds_to("ж", "ЖӁӂӜӝ")
  folds_to("з", "ЗӞӟ")
  folds_to("и", "ЍИЙйѝӢӣӤӥ")
  folds_to("к", "ЌКќ")
  folds_to("о", "ОӦӧ")
  folds_to("у", "ЎУўӮӯӰӱӲӳ")
  folds_to("ч", "ЧӴӵ")
  folds_to("ы", "ЫӸӹ")
  folds_to("э", "ЭӬӭ")
  folds_to("і", "ІЇї")
  folds_to("ѵ", "ѴѶѷ")
  folds_to("ә", "ӘӚӛ")
  folds_to("ө", "ӨӪӫ")
  folds_to("ا", "آأإ")
  folds_to("は", "ばぱ")
  folds_to("ひ", "びぴ")
  folds_to("ふ", "ぶぷ")
  folds_to("へ", "べぺ")
  folds_to("ほ", "ぼぽ")
  folds_to("ハ", "バパ")
  folds_to("ヒ", "ビピ")
  folds_to("フ", "ブプ")
  folds_to("ヘ", "ベペ")
  folds_to("ホ", "ボポ")
  each_folds_to("ðÐþÞđĐħĦĳĲŀĿłŁŋŊœŒŧŦƀɃƃƂƅƄƈƇƌƋƒƑƕǶƙƘƚȽƞȠƣƢƥƤƨƧƭƬƴƳƶƵƹƸƽƼƿǷǝƎǥǤȝȜȣȢȥȤȼȻɂɁɇɆɉɈɋɊɍɌɏɎɓƁɔƆɖƉɗƊəƏɛƐɠƓ")
  each_folds_to("ɣƔɨƗɩƖɯƜɲƝɵƟʀƦʃƩʈƮʉɄʊƱʋƲʌɅʹʹͱͰͳͲͷͶͻϽͼϾͽϿγΓδΔζΖλΛνΝξΞτΤχΧψΨϗϏϙϘϛϚϝϜϟϞϡϠϣϢϥϤϧϦϩϨϫϪϭϬϯϮϲϹϳͿϸϷϻϺбБвВ")
  each_folds_to("дДлЛмМнНпПрРсСтТфФхХцЦшШщЩъЪьЬюЮяЯђЂєЄѕЅјЈљЉњЊћЋџЏѡѠѣѢѥѤѧѦѩѨѫѪѭѬѯѮѱѰѳѲѹѸѻѺѽѼѿѾҁҀҋҊҍҌҏҎґҐғҒҕҔҗҖҙҘ")
  each_folds_to("қҚҝҜҟҞҡҠңҢҥҤҧҦҩҨҫҪҭҬүҮұҰҳҲҵҴҷҶҹҸһҺҽҼҿҾӄӃӆӅӈӇӊӉӌӋӎӍӏӀӕӔӡӠӷӶӻӺӽӼӿӾԁԀԃԂԅԄԇԆԉԈԋԊԍԌԏԎԑԐԓԒԕԔԗԖԙԘԛԚԝԜԟԞ")
  each_folds_to("ԡԠԣԢԥԤԧԦԩԨԫԪԭԬԯԮաԱբԲգԳդԴեԵզԶէԷըԸթԹժԺիԻլԼխԽծԾկԿհՀձՁղՂճՃմՄյՅնՆշՇոՈչՉպՊջՋռՌսՍվՎտՏրՐցՑւՒփՓքՔօՕֆՖوؤيئ")
  each_folds_to("ہۂےۓەۀỻỺỽỼỿỾⱥȺⱦȾうゔかがきぎくぐけげこごさざしじすずせぜそぞただちぢつづてでとどゝゞウヴカガキギクグケゲコゴサザシジスズセゼソゾタダチヂツヅテデトドワヷヰヸヱヹヲヺヽヾßẞ")
}

# folds_to LETTER LETTERS - each of the letters.
function folds_to(letter, letters,    at, size) {
  for (at = 1; at <= length(letters); at += size) {
    size = size_at(letters, at)
    folded_letter[substr(letters, at, size)] = letter
  }
}

# each_folds_to PAIRS - of each two letters, the second to the first.
function each_folds_to(pairs,    at, size, letter) {
  for (at = 1; at <= length(pairs); at += size) {
    size = size_at(pairs, at)
    letter = substr(pairs, at, size)
    at += size
    size = size_at(pairs, at)
    folded_letter[substr(pairs, at, size)] = letter
  }
}

# How many bytes the letter that begins there takes.
function size_at(text, at,    lead) {
  lead = code_of_byte[substr(text, at, 1)]
  return lead < 192 ? 1 : lead < 224 ? 2 : lead < 240 ? 3 : 4
}

# Combining marks (U+0300 to 036F, 0483 to 0487, 0653 to 0655, 1DC0 to 1DFF, 20D0 to 20FF, 3099, 309A, FE20 to FE2F).
function is_mark(letter) {
  return letter ~ /^(\314[\200-\277]|\315[\200-\257]|\322[\203-\207]|\331[\223-\225])$/ ||
    letter ~ /^(\341\267[\200-\277]|\342\203[\220-\277]|\343\202[\231\232]|\357\270[\240-\257])$/
}

# A syllable of Hangul (U+AC00 to D7A3) as its two or three parts; all else as it is.
function hangul_parts(letter,    point, tail) {
  if (letter !~ /^[\352-\355][\200-\277][\200-\277]$/) return letter
  point = (code_of_byte[substr(letter, 1, 1)] - 224) * 4096 + (code_of_byte[substr(letter, 2, 1)] - 128) * 64
  point += code_of_byte[substr(letter, 3, 1)] - 128 - 44032
  if (point < 0 || point >= 11172) return letter
  tail = point % 28
  return three_bytes(4352 + int(point / 588)) three_bytes(4449 + int(point % 588 / 28)) \
    (tail ? three_bytes(4519 + tail) : "")
}

function three_bytes(point) {
  return sprintf("%c%c%c", 224 + int(point / 4096), 128 + int(point / 64) % 64, 128 + point % 64)
}

function fold(name,    at, size, letter, out) {
  if (name ~ /[\200-\377]/) {
    for (at = 1; at <= length(name); at += size) {
      size = size_at(name, at)
      letter = substr(name, at, size)
      if (letter in folded_letter) letter = folded_letter[letter]
      if (!is_mark(letter)) out = out hangul_parts(letter)
    }
    name = out
  }
  gsub(/([ \t]|\302\240|\343\200\200|\342\200\213|\357\273\277)+/, " ", name)
  sub(/^ /, "", name)
  sub(/ $/, "", name)
  return tolower(name)
}
