//! When two names are one to a file system that folds letters: vfat, exFAT, a folder of ext4 or
//! tmpfs with `casefold`, and the disks of macOS and Windows. Such a file system finds a file by a
//! name of other capitals, and some by another spelling of the same letter in Unicode (`é` as one
//! letter, or as `e` and an accent). vfat also drops dots and spaces at the end.
//!
//! Each of them folds in a way of its own. What is folded here is what any of them folds, so two
//! names of different keys are two files everywhere.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The key of a path: equal to another's wherever some file system takes the two for one.
pub fn path(path: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    let trimmed = |name: &str| !name.ends_with(['.', ' ']);
    if path.bytes().all(plain) && path.split('/').all(trimmed) {
        return Cow::Borrowed(path);
    }
    let names: Vec<String> = path.split('/').map(name).collect();
    Cow::Owned(names.join("/"))
}

fn name(name: &str) -> String {
    let mut key = Key::default();
    for letter in name.trim_end_matches(['.', ' ']).chars() {
        // Twice, since `ſ` is a capital `S` only by way of the other case, and `ß` is `SS`.
        for letter in letter.to_uppercase().flat_map(char::to_lowercase) {
            key.add(letter);
        }
    }
    key.finish()
}

/// A key in the making: letters taken apart, with the marks of each in order.
#[derive(Default)]
struct Key {
    text: String,
    marks: Vec<char>,
}

impl Key {
    fn add(&mut self, letter: char) {
        if let Some(&(base, mark)) = pairs().get(&letter) {
            self.add(base);
            self.add(mark);
        } else if let Some(parts) = syllable(letter) {
            parts.into_iter().flatten().for_each(|part| self.add(part));
        } else if is_mark(letter) {
            self.marks.push(letter);
        } else if !is_ignored(letter) {
            self.flush();
            self.text.push(letter);
        }
    }

    fn flush(&mut self) {
        self.marks.sort_unstable();
        self.text.extend(self.marks.drain(..));
    }

    fn finish(mut self) -> String {
        self.flush();
        self.text
    }
}

fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{3099}' | '\u{309a}') && !is_ignored(letter)
}

/// Letters that are not seen, which Unicode's case folding drops.
fn is_ignored(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
    )
}

/// The parts of a Korean syllable (Unicode, section 3.12).
fn syllable(letter: char) -> Option<[Option<char>; 3]> {
    let index = u32::from(letter)
        .checked_sub(0xac00)
        .filter(|&index| index < 11_172)?;
    let (tail, vowel, lead) = (index % 28, index / 28 % 21, index / 588);
    let part = |first: u32, number: u32| char::from_u32(first.saturating_add(number));
    let tail = part(0x11a7, tail).filter(|_| tail > 0);
    Some([part(0x1100, lead), part(0x1161, vowel), tail])
}

/// Letters that are a letter and a mark.
fn pairs() -> &'static BTreeMap<char, (char, char)> {
    static PAIRS: OnceLock<BTreeMap<char, (char, char)>> = OnceLock::new();
    PAIRS.get_or_init(|| {
        let mut pairs = BTreeMap::new();
        for line in COMPOSED.lines() {
            let mut letters = line.chars();
            let Some(mark) = letters.next() else {
                continue;
            };
            while let (Some(base), Some(whole)) = (letters.next(), letters.next()) {
                pairs.insert(whole, (base, mark));
            }
        }
        pairs
    })
}

/// The canonical decompositions of Unicode 15 for Latin, Greek, Cyrillic and kana: in each line a
/// mark, and then in turn a letter and what it is with that mark.
const COMPOSED: &str = "\
    \u{300}AÀEÈIÌOÒUÙaàeèiìoòuùÜǛüǜNǸnǹЕЀИЍеѐиѝĒḔēḕŌṐōṑWẀwẁÂẦâầĂẰăằÊỀêềÔỒôồƠỜơờƯỪ\n\
    \u{300}ưừYỲyỳ\u{1f00}\u{1f02}\u{1f01}\u{1f03}\u{1f08}\u{1f0a}\u{1f09}\u{1f0b}\n\
    \u{300}\u{1f10}\u{1f12}\u{1f11}\u{1f13}\u{1f18}\u{1f1a}\u{1f19}\u{1f1b}\n\
    \u{300}\u{1f20}\u{1f22}\u{1f21}\u{1f23}\u{1f28}\u{1f2a}\u{1f29}\u{1f2b}\n\
    \u{300}\u{1f30}\u{1f32}\u{1f31}\u{1f33}\u{1f38}\u{1f3a}\u{1f39}\u{1f3b}\n\
    \u{300}\u{1f40}\u{1f42}\u{1f41}\u{1f43}\u{1f48}\u{1f4a}\u{1f49}\u{1f4b}\n\
    \u{300}\u{1f50}\u{1f52}\u{1f51}\u{1f53}\u{1f59}\u{1f5b}\u{1f60}\u{1f62}\n\
    \u{300}\u{1f61}\u{1f63}\u{1f68}\u{1f6a}\u{1f69}\u{1f6b}α\u{1f70}ε\u{1f72}\n\
    \u{300}η\u{1f74}ι\u{1f76}ο\u{1f78}υ\u{1f7a}ω\u{1f7c}Α\u{1fba}Ε\u{1fc8}\n\
    \u{300}Η\u{1fca}\u{1fbf}\u{1fcd}ϊ\u{1fd2}Ι\u{1fda}\u{1ffe}\u{1fdd}ϋ\u{1fe2}\n\
    \u{300}Υ\u{1fea}¨\u{1fed}Ο\u{1ff8}Ω\u{1ffa}\n\
    \u{301}AÁEÉIÍOÓUÚYÝaáeéiíoóuúyýCĆcćLĹlĺNŃnńRŔrŕSŚsśZŹzźÜǗüǘGǴgǵÅǺåǻÆǼæǽØǾøǿ\n\
    \u{301}\u{308}\u{344}¨΅ΑΆΕΈΗΉΙΊΟΌΥΎΩΏϊΐαάεέηήιίϋΰοόυύωώϒϓГЃКЌгѓкќÇḈçḉĒḖēḗÏḮïḯ\n\
    \u{301}KḰkḱMḾmḿÕṌõṍŌṒōṓPṔpṕŨṸũṹWẂwẃÂẤâấĂẮăắÊẾêếÔỐôốƠỚơớƯỨưứ\u{1f00}\u{1f04}\n\
    \u{301}\u{1f01}\u{1f05}\u{1f08}\u{1f0c}\u{1f09}\u{1f0d}\u{1f10}\u{1f14}\n\
    \u{301}\u{1f11}\u{1f15}\u{1f18}\u{1f1c}\u{1f19}\u{1f1d}\u{1f20}\u{1f24}\n\
    \u{301}\u{1f21}\u{1f25}\u{1f28}\u{1f2c}\u{1f29}\u{1f2d}\u{1f30}\u{1f34}\n\
    \u{301}\u{1f31}\u{1f35}\u{1f38}\u{1f3c}\u{1f39}\u{1f3d}\u{1f40}\u{1f44}\n\
    \u{301}\u{1f41}\u{1f45}\u{1f48}\u{1f4c}\u{1f49}\u{1f4d}\u{1f50}\u{1f54}\n\
    \u{301}\u{1f51}\u{1f55}\u{1f59}\u{1f5d}\u{1f60}\u{1f64}\u{1f61}\u{1f65}\n\
    \u{301}\u{1f68}\u{1f6c}\u{1f69}\u{1f6d}\u{1fbf}\u{1fce}\u{1ffe}\u{1fde}\n\
    \u{302}AÂEÊIÎOÔUÛaâeêiîoôuûCĈcĉGĜgĝHĤhĥJĴjĵSŜsŝWŴwŵYŶyŷZẐzẑẠẬạậẸỆẹệỌỘọộ\n\
    \u{303}AÃNÑOÕaãnñoõIĨiĩUŨuũVṼvṽÂẪâẫĂẴăẵEẼeẽÊỄêễÔỖôỗƠỠơỡƯỮưữYỸyỹ\n\
    \u{308}AÄEËIÏOÖUÜaäeëiïoöuüyÿYŸΙΪΥΫιϊυϋϒϔЕЁІЇеёіїАӒаӓӘӚәӛЖӜжӝЗӞзӟИӤиӥОӦоӧӨӪөӫ\n\
    \u{308}ЭӬэӭУӰуӱЧӴчӵЫӸыӹHḦhḧÕṎõṏŪṺūṻWẄwẅXẌxẍtẗ\n\
    \u{30a}AÅaåUŮuůwẘyẙ\n\
    \u{327}CÇcçGĢgģKĶkķLĻlļNŅnņRŖrŗSŞsşTŢtţEȨeȩDḐdḑHḨhḩ\n\
    \u{304}AĀaāEĒeēIĪiīOŌoōUŪuūÜǕüǖÄǞäǟȦǠȧǡÆǢæǣǪǬǫǭÖȪöȫÕȬõȭȮȰȯȱYȲyȳИӢиӣУӮуӯGḠgḡḶḸ\n\
    \u{304}ḷḹṚṜṛṝα\u{1fb1}Α\u{1fb9}ι\u{1fd1}Ι\u{1fd9}υ\u{1fe1}Υ\u{1fe9}\n\
    \u{306}AĂaăEĔeĕGĞgğIĬiĭOŎoŏUŬuŭУЎИЙийуўЖӁжӂАӐаӑЕӖеӗȨḜȩḝẠẶạặα\u{1fb0}Α\u{1fb8}\n\
    \u{306}ι\u{1fd0}Ι\u{1fd8}υ\u{1fe0}Υ\u{1fe8}\n\
    \u{328}AĄaąEĘeęIĮiįUŲuųOǪoǫ\n\
    \u{307}CĊcċEĖeėGĠgġIİZŻzżAȦaȧOȮoȯBḂbḃDḊdḋFḞfḟHḢhḣMṀmṁNṄnṅPṖpṗRṘrṙSṠsṡŚṤśṥŠṦšṧ\n\
    \u{307}ṢṨṣṩTṪtṫWẆwẇXẊxẋYẎyẏſẛ\n\
    \u{30c}CČcčDĎdďEĚeěLĽlľNŇnňRŘrřSŠsšTŤtťZŽzžAǍaǎIǏiǐOǑoǒUǓuǔÜǙüǚGǦgǧKǨkǩƷǮʒǯjǰ\n\
    \u{30c}HȞhȟ\n\
    \u{30b}OŐoőUŰuűУӲуӳ\n\
    \u{31b}OƠoơUƯuư\n\
    \u{30f}AȀaȁEȄeȅIȈiȉOȌoȍRȐrȑUȔuȕѴѶѵѷ\n\
    \u{311}AȂaȃEȆeȇIȊiȋOȎoȏRȒrȓUȖuȗ\n\
    \u{326}SȘsșTȚtț\n\
    \u{325}AḀaḁ\n\
    \u{323}BḄbḅDḌdḍHḤhḥKḲkḳLḶlḷMṂmṃNṆnṇRṚrṛSṢsṣTṬtṭVṾvṿWẈwẉZẒzẓAẠaạEẸeẹIỊiịOỌoọƠỢ\n\
    \u{323}ơợUỤuụƯỰưựYỴyỵ\n\
    \u{331}BḆbḇDḎdḏKḴkḵLḺlḻNṈnṉRṞrṟTṮtṯZẔzẕhẖ\n\
    \u{32d}DḒdḓEḘeḙLḼlḽNṊnṋTṰtṱUṶuṷ\n\
    \u{330}EḚeḛIḬiḭUṴuṵ\n\
    \u{32e}HḪhḫ\n\
    \u{324}UṲuṳ\n\
    \u{309}AẢaảÂẨâẩĂẲăẳEẺeẻÊỂêểIỈiỉOỎoỏÔỔôổƠỞơởUỦuủƯỬưửYỶyỷ\n\
    \u{313}α\u{1f00}Α\u{1f08}ε\u{1f10}Ε\u{1f18}η\u{1f20}Η\u{1f28}ι\u{1f30}\n\
    \u{313}Ι\u{1f38}ο\u{1f40}Ο\u{1f48}υ\u{1f50}ω\u{1f60}Ω\u{1f68}ρ\u{1fe4}\n\
    \u{314}α\u{1f01}Α\u{1f09}ε\u{1f11}Ε\u{1f19}η\u{1f21}Η\u{1f29}ι\u{1f31}\n\
    \u{314}Ι\u{1f39}ο\u{1f41}Ο\u{1f49}υ\u{1f51}Υ\u{1f59}ω\u{1f61}Ω\u{1f69}\n\
    \u{314}ρ\u{1fe5}Ρ\u{1fec}\n\
    \u{342}\u{1f00}\u{1f06}\u{1f01}\u{1f07}\u{1f08}\u{1f0e}\u{1f09}\u{1f0f}\n\
    \u{342}\u{1f20}\u{1f26}\u{1f21}\u{1f27}\u{1f28}\u{1f2e}\u{1f29}\u{1f2f}\n\
    \u{342}\u{1f30}\u{1f36}\u{1f31}\u{1f37}\u{1f38}\u{1f3e}\u{1f39}\u{1f3f}\n\
    \u{342}\u{1f50}\u{1f56}\u{1f51}\u{1f57}\u{1f59}\u{1f5f}\u{1f60}\u{1f66}\n\
    \u{342}\u{1f61}\u{1f67}\u{1f68}\u{1f6e}\u{1f69}\u{1f6f}α\u{1fb6}¨\u{1fc1}\n\
    \u{342}η\u{1fc6}\u{1fbf}\u{1fcf}ι\u{1fd6}ϊ\u{1fd7}\u{1ffe}\u{1fdf}υ\u{1fe6}\n\
    \u{342}ϋ\u{1fe7}ω\u{1ff6}\n\
    \u{345}\u{1f00}\u{1f80}\u{1f01}\u{1f81}\u{1f02}\u{1f82}\u{1f03}\u{1f83}\n\
    \u{345}\u{1f04}\u{1f84}\u{1f05}\u{1f85}\u{1f06}\u{1f86}\u{1f07}\u{1f87}\n\
    \u{345}\u{1f08}\u{1f88}\u{1f09}\u{1f89}\u{1f0a}\u{1f8a}\u{1f0b}\u{1f8b}\n\
    \u{345}\u{1f0c}\u{1f8c}\u{1f0d}\u{1f8d}\u{1f0e}\u{1f8e}\u{1f0f}\u{1f8f}\n\
    \u{345}\u{1f20}\u{1f90}\u{1f21}\u{1f91}\u{1f22}\u{1f92}\u{1f23}\u{1f93}\n\
    \u{345}\u{1f24}\u{1f94}\u{1f25}\u{1f95}\u{1f26}\u{1f96}\u{1f27}\u{1f97}\n\
    \u{345}\u{1f28}\u{1f98}\u{1f29}\u{1f99}\u{1f2a}\u{1f9a}\u{1f2b}\u{1f9b}\n\
    \u{345}\u{1f2c}\u{1f9c}\u{1f2d}\u{1f9d}\u{1f2e}\u{1f9e}\u{1f2f}\u{1f9f}\n\
    \u{345}\u{1f60}\u{1fa0}\u{1f61}\u{1fa1}\u{1f62}\u{1fa2}\u{1f63}\u{1fa3}\n\
    \u{345}\u{1f64}\u{1fa4}\u{1f65}\u{1fa5}\u{1f66}\u{1fa6}\u{1f67}\u{1fa7}\n\
    \u{345}\u{1f68}\u{1fa8}\u{1f69}\u{1fa9}\u{1f6a}\u{1faa}\u{1f6b}\u{1fab}\n\
    \u{345}\u{1f6c}\u{1fac}\u{1f6d}\u{1fad}\u{1f6e}\u{1fae}\u{1f6f}\u{1faf}\n\
    \u{345}\u{1f70}\u{1fb2}α\u{1fb3}ά\u{1fb4}\u{1fb6}\u{1fb7}Α\u{1fbc}\n\
    \u{345}\u{1f74}\u{1fc2}η\u{1fc3}ή\u{1fc4}\u{1fc6}\u{1fc7}Η\u{1fcc}\n\
    \u{345}\u{1f7c}\u{1ff2}ω\u{1ff3}ώ\u{1ff4}\u{1ff6}\u{1ff7}Ω\u{1ffc}\n\
    \u{338}\u{2190}\u{219a}\u{2192}\u{219b}\u{2194}\u{21ae}\u{21d0}\u{21cd}\n\
    \u{338}\u{21d4}\u{21ce}\u{21d2}\u{21cf}\u{2203}\u{2204}\u{2208}\u{2209}\n\
    \u{338}\u{220b}\u{220c}\u{2223}\u{2224}\u{2225}\u{2226}\u{223c}\u{2241}\n\
    \u{338}\u{2243}\u{2244}\u{2245}\u{2247}\u{2248}\u{2249}=\u{2260}\n\
    \u{338}\u{2261}\u{2262}\u{224d}\u{226d}<\u{226e}>\u{226f}\u{2264}\u{2270}\n\
    \u{338}\u{2265}\u{2271}\u{2272}\u{2274}\u{2273}\u{2275}\u{2276}\u{2278}\n\
    \u{338}\u{2277}\u{2279}\u{227a}\u{2280}\u{227b}\u{2281}\u{2282}\u{2284}\n\
    \u{338}\u{2283}\u{2285}\u{2286}\u{2288}\u{2287}\u{2289}\u{22a2}\u{22ac}\n\
    \u{338}\u{22a8}\u{22ad}\u{22a9}\u{22ae}\u{22ab}\u{22af}\u{227c}\u{22e0}\n\
    \u{338}\u{227d}\u{22e1}\u{2291}\u{22e2}\u{2292}\u{22e3}\u{22b2}\u{22ea}\n\
    \u{338}\u{22b3}\u{22eb}\u{22b4}\u{22ec}\u{22b5}\u{22ed}\u{2add}\u{2adc}\n\
    \u{3099}かがきぎくぐけげこごさざしじすずせぜそぞただちぢつづてでとどはばひびふぶへべほぼうゔゝゞカガキギクグケゲコゴサザシジスズセゼソゾタダチヂツヅ\n\
    \u{3099}テデトドハバヒビフブヘベホボウヴワヷヰヸヱヹヲヺヽヾ\n\
    \u{309a}はぱひぴふぷへぺほぽハパヒピフプヘペホポ\n\
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_some_file_system_takes_for_one_have_one_key() {
        for (one, other) in [
            ("README", "readme"),
            ("É.txt", "e\u{301}.txt"),
            ("ǖ", "U\u{308}\u{304}"),
            ("ậ", "a\u{302}\u{323}"),
            ("ậ", "a\u{323}\u{302}"),
            ("Σ", "ς"),
            ("straße", "STRASSE"),
            ("\u{212a}", "k"),
            ("ſ", "s"),
            ("ガ", "カ\u{3099}"),
            ("각", "\u{1100}\u{1161}\u{11a8}"),
            ("가", "\u{1100}\u{1161}"),
            ("ᾳ", "α\u{345}"),
            ("a\u{ad}b", "ab"),
            ("a. ", "A"),
            ("x./Y", "X/y"),
        ] {
            assert_eq!(path(one), path(other), "{one} {other}");
        }
    }

    #[test]
    fn other_names_have_keys_of_their_own() {
        for (one, other) in [
            ("a", "b"),
            ("é", "e"),
            ("é", "è"),
            ("上.txt", "下.txt"),
            ("か", "が"),
            ("a/b", "a.b"),
            ("a.1", "a.2"),
            (" a", "a"),
            ("각", "간"),
        ] {
            assert_ne!(path(one), path(other), "{one} {other}");
        }
    }
}
