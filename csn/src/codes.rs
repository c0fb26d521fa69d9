//! The table of everything that the front end can say about a scenario. A code has one meaning for ever: new
//! findings get new codes, and codes that fall away stay unused.
//!
//! `E0` syntax and files, `E1` names and values, `E2` rules and classes, `E3` traffic, `E4` the experiment, `E5` rule
//! sets of other formats, `E6` edits by command, `E9` not executed by this version; `W` and `L` with the same hundreds
//! for warnings and lints.

use crate::diagnostic::Severity;

/// One entry of the table: a kind of finding and its explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `E…`, `W…` or `L…`, three digits.
    pub code: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// The finding in a few words.
    pub title: &'static str,
    /// What is found.
    pub what: &'static str,
    /// Why that is a mistake, or hardly meant.
    pub why: &'static str,
    /// A scenario that has it; where it takes a command as well, the first line is a comment with the command.
    pub example: &'static str,
    /// What to write instead.
    pub cure: &'static str,
}

impl Code {
    /// The entry of that code.
    pub fn find(code: &str) -> Option<&'static Code> {
        CODES.iter().find(|c| c.code.eq_ignore_ascii_case(code))
    }
}

macro_rules! codes {
    ($($name:ident $code:literal $severity:ident $title:literal
       what $what:literal why $why:literal example $example:literal cure $cure:literal)*) => {
        $(
            #[doc = $title]
            pub const $name: Code = Code {
                code: $code, severity: Severity::$severity, title: $title,
                what: $what, why: $why, example: $example, cure: $cure,
            };
        )*
        /// Every code, by ascending number within its hundred.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    SYNTAX "E001" Error "text that does not fit the grammar"
        what "The text at this place cannot continue the statement."
        why "A statement is `keyword : items ;`, an item is `name = value` or a value alone."
        example "set: class = 1;\naddrule: dstport = 80-90;"
        cure "Write what the message names; ranges are `a..b`, sets `{a, b}`."
    OPEN_TEXT "E002" Error "a text whose closing quote is missing"
        what "A text starts with `\"` and its line ends before the closing quote."
        why "Texts do not run over the end of a line."
        example "scenario: title = \"number of rules;"
        cure "Close the quote on the same line."
    BRACKET "E003" Error "a bracket without its partner"
        what "A `{` or `(` is not closed before the statement ends, or one is closed that was not opened."
        why "What belongs to the set or the options cannot be told."
        example "define: web = {80, 443;\nset: class = 1;"
        cure "Close the bracket, or take it out."
    SEMICOLON "E004" Error "a statement without its `;`"
        what "A new statement starts, or the file ends, before the `;` of this one."
        why "Only `;` ends a statement; the end of a line does not."
        example "set: class = 1\naddrule: proto = udp;"
        cure "Write `;` at the end of the statement."
    KEYWORD "E005" Error "a statement of an unknown kind"
        what "A statement starts with a word that is no keyword, or with no word at all."
        why "The keyword says what the items mean."
        example "set: class = 1;\naddrul: proto = udp;"
        cure "Use include, define, set, addrule, load, meter, run, vary, expect or scenario, and `:` behind it."
    COMMA "E006" Error "two items without a comma between them"
        what "An item starts where the one before has not been ended by a comma."
        why "Items are separated by commas."
        example "set: class = 1;\naddrule: proto = udp dstport = 53;"
        cure "Write `,` between them."
    NO_ITEM "E007" Error "an item is missing"
        what "There is nothing between two commas, before the first or behind the last, or no item at all."
        why "Every statement says something; an empty item is usually a deleted one."
        example "set: class = 1;\naddrule: proto = udp,;"
        cure "Take out the comma, or write the item. A rule for every packet is `addrule: srcip = any;`."
    NO_VALUE "E008" Error "a value is missing"
        what "There is nothing behind the sign."
        why "A name without a value says nothing."
        example "set: class = 1;\naddrule: dstport = ;"
        cure "Write the value; a field that may have any value is left out."
    DEPTH "E009" Error "brackets or names nested too deep"
        what "Sets or options are nested, or names defined by names, more than 32 levels deep."
        why "The notation is flat; no scenario needs this."
        example "define: a = {{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{1}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}};"
        cure "Write one set."
    LITERAL "E010" Error "a number or address that is none"
        what "Something is spelt like a number or an address but cannot be one."
        why "IPv4 addresses are four numbers up to 255, IPv6 addresses as in RFC 4291, MAC addresses six octets."
        example "set: class = 1;\naddrule: srcip = 10.0.0.300;"
        cure "Correct the spelling."
    ESCAPE "E011" Error "an escape that is not known"
        what "A text holds `\\` and a character that means nothing behind it."
        why "Known are \\\\ \\\" \\n \\r \\t and, in payloads, \\x with two hexadecimal digits."
        example "scenario: title = \"a\\qb\";"
        cure "Write `\\\\` for a backslash."
    SIGN "E012" Error "a sign that is not used here"
        what "`name` and `value` are joined by a sign that this statement does not know."
        why "Rules know `=` and `!=`, expectations `= < <= > >=`, all else `=` only."
        example "set: class = 1;\naddrule: dstport < 1024;"
        cure "In rules write a range: `dstport = 0..1023`."
    SHAPE "E013" Error "an item of the wrong shape"
        what "A value alone stands where `name = value` is expected, or the other way round."
        why "The statement would not know what the item is for."
        example "define: 10.0.0.1;"
        cure "Write the item as the message says."
    INCLUDE "E020" Error "a file that cannot be included"
        what "The file named by `include` cannot be read."
        why "Its statements are part of the scenario."
        example "include: \"missing.csn\";"
        cure "Correct the path: it is relative to the including file."
    INCLUDE_CYCLE "E021" Error "files that include each other"
        what "A file includes itself, directly or by way of others."
        why "It would never end."
        example "include: \"loop.csn\";"
        cure "Take the include out, or move what both need to a third file."
    INCLUDED_TWICE "W022" Warning "a file that is included twice"
        what "A file is included that has been included before; the second time it is left out."
        why "Its classes and names would be there twice."
        example "include: \"empty.csn\";\ninclude: \"empty.csn\";"
        cure "Include it once."
    UNKNOWN_NAME "E101" Error "a name that means nothing here"
        what "A word is neither defined nor one that this place knows."
        why "Without a value the item cannot be used."
        example "define: web = 80;\nset: class = 1;\naddrule: dstport = wbe, srcport = web;"
        cure "Correct the spelling, or `define` the name."
    DEFINED_TWICE "E102" Error "a name that is defined twice"
        what "Two definitions give the same name."
        why "Definitions hold for the whole file, so neither comes first."
        example "define: web = 80, web = 443;\nset: class = 1;\naddrule: dstport = web;"
        cure "Rename one, or write one definition with a set."
    NAME_CYCLE "E103" Error "a name that is defined by itself"
        what "A definition leads back to its own name."
        why "It has no value."
        example "define: a = b, b = a;"
        cure "Give one of the names a value."
    RESERVED_NAME "E104" Error "a name that is reserved"
        what "A definition uses a word of the notation itself."
        why "`each`, `both`, `any`, `others`, `all` and the names of fields have a meaning already."
        example "define: others = 10.0.0.1;"
        cure "Choose another name."
    UNUSED_NAME "L105" Lint "a name that nothing uses"
        what "A name is defined and never used."
        why "It may be a leftover, or its use is misspelt."
        example "define: web = {80, 443};"
        cure "Use it or take it out."
    HIDES_WORD "W106" Warning "a name that hides a built-in word"
        what "A definition gives a word that fields know, such as `udp` or `http`, another value."
        why "The definition wins everywhere; readers expect the usual meaning."
        example "define: http = 8080;\nset: class = 1;\naddrule: dstport = http;"
        cure "Choose another name."
    UNKNOWN_FIELD "E110" Error "a field that is not known"
        what "A rule or a packet names a field that is not there."
        why "The test cannot be made."
        example "set: class = 1;\naddrule: destport = 80;"
        cure "Use one of the fields of the notation."
    UNKNOWN_SETTING "E111" Error "a setting that is not known"
        what "A statement does not know a setting of that name."
        why "Nothing would read it."
        example "run: rat = 20 kpps;"
        cure "Use one of the settings that the message lists."
    WRONG_KIND "E112" Error "a value of the wrong kind"
        what "A value cannot be what this place needs, such as an address for a port."
        why "Names are typed by where they are used, so a name can be right in one place and wrong in another."
        example "set: class = 1;\naddrule: dstport = 10.0.0.1;"
        cure "Write the kind of value that the message names."
    OUT_OF_RANGE "E113" Error "a value outside of what is possible"
        what "A number is too small or too large for its place."
        why "No packet can have the value, or no run can be made with it."
        example "set: class = 1;\naddrule: dstport = 70000;"
        cure "Stay within the limits that the message names."
    UPSIDE_DOWN "E114" Error "a range whose end comes before its start"
        what "In `a..b`, a is larger than b."
        why "The range holds nothing."
        example "set: class = 1;\naddrule: dstport = 90..80;"
        cure "Exchange the ends."
    MIXED_FAMILIES "E115" Error "a range from one address family to another"
        what "A range starts at an IPv4 address and ends at an IPv6 address, or the other way round."
        why "Nothing lies between them."
        example "set: class = 1;\naddrule: srcip = 10.0.0.1..2001:db8::1;"
        cure "Write one range for each family, in a set."
    HOST_BITS "W116" Warning "a prefix with host bits set"
        what "Bits behind the prefix length are set; they are ignored."
        why "Either the length or the address is not what was meant."
        example "set: class = 1;\naddrule: srcip = 10.1.2.3/16;"
        cure "Write the first address of the prefix, or the length that was meant."
    EMPTY "E117" Error "a test that no value passes"
        what "A set is empty, or what is left of the field's values is."
        why "The rule could never match."
        example "set: class = 1;\naddrule: dstport != 0..65535;"
        cure "Write at least one value, or take the rule out."
    MASK "E118" Error "a value with bits outside of its mask"
        what "In `value/mask` the value has bits that the mask leaves out."
        why "A masked octet is never equal to it, so the rule could never match."
        example "set: class = 1;\naddrule: tcpflags = syn/ack;"
        cure "Add the bits to the mask, as in `syn/syn+ack`, or take them out of the value."
    UNIT "E119" Error "a unit that is not known here"
        what "A number has a unit that this place cannot use, or has one where none is used."
        why "The number would mean something else than it says."
        example "run: rate = 20 kps;"
        cure "Use one of the units that the message lists."
    NO_UNIT "E120" Error "a number without its unit"
        what "A rate, time, size or share is a bare number."
        why "20 could be packets or bits, per second or in all."
        example "run: rate = 20000;"
        cure "Write the unit: `20 kpps`, `60 Mbit/s(ip)`, `5 s`, `200 B`, `20%`."
    NO_LAYER "E121" Error "bits whose layer is not said"
        what "A rate in bits does not say what is counted."
        why "The same packets have different bit rates as IP packets, Ethernet frames or ATM cells."
        example "run: rate = 60 Mbit/s;"
        cure "Write `(ip)`, `(frame)`, `(ethernet)`, `(wire)`, `(payload)` or `(atm)` behind the unit."
    EACH_HERE "E122" Error "`each` where it cannot be"
        what "`each` stands in a definition, in a set or in a setting that has one value."
        why "It multiplies rules and the classes of a `set`, nothing else."
        example "run: repeat = each 1..3;"
        cure "Take `each` out, or write it where the name is used in a rule."
    TOO_MANY "E123" Error "more values than can be listed"
        what "`each`, a class range or an axis stands for more than a million values."
        why "Every one becomes a rule, a class or a point of its own."
        example "set: class = 1;\naddrule: srcip = each 10.0.0.0/8;"
        cure "Go through fewer values."
    REPEATED "E124" Error "a setting that is given twice"
        what "The same setting, test or axis is given again."
        why "Which of the two holds cannot be told."
        example "run: seed = 1, seed = 2;"
        cure "Keep one. Several values of a field are a set: `dstport = {80, 443}`."
    SCRIP "L130" Lint "the paper's spelling of `srcip`"
        what "The field `srcip` is written `scrip`, as in the paper's example."
        why "It is accepted so that the paper's text works; elsewhere it is a typing mistake."
        example "set: class = 1;\naddrule: scrip = 10.0.0.1;"
        cure "Write `srcip`."
    NO_CLASS "E201" Error "a rule without a class"
        what "An `addrule` stands before any `set`."
        why "A rule belongs to the class that the last `set` opened."
        example "addrule: proto = udp;"
        cure "Write `set: class = 1;` before it."
    CLASS_TWICE "E202" Error "a class number that is given twice"
        what "Two `set` statements give the same class its settings."
        why "A class has one name, so the second is most likely another class."
        example "set: class = 1;\naddrule: proto = udp;\nset: class = 1, name = \"web\";\naddrule: proto = tcp;"
        cure "Use the next free number, or move the rules to the first `set`."
    CLASS_NAME_TWICE "E203" Error "a class name that is given twice"
        what "Two classes have the same name, or a name is another class's number."
        why "Results call classes by their names."
        example "set: class = 1, name = \"a\";\naddrule: proto = udp;\nset: class = 2, name = \"a\";\naddrule: proto = tcp;"
        cure "Choose another name."
    CONTRADICTION "E204" Error "tests that cannot hold together"
        what "Two tests of a rule exclude each other in every packet."
        why "The rule could never match. Ports belong to TCP, UDP, DCCP, SCTP and UDP-Lite, flow labels to IPv6, and so on."
        example "set: class = 1;\naddrule: proto = icmp, dstport = 53;"
        cure "Take one of the tests out, or make two rules."
    EACH_COUNT "E205" Error "an `each` that does not fit"
        what "The values behind `each` are not as many as the classes, or as those behind another `each`."
        why "They are taken in step, one rule for each step."
        example "set: class = 1..3;\naddrule: dstport = each 80..81;"
        cure "Make the numbers equal; several classes need at least one `each` in each of their rules."
    CLASS_NUMBER "E206" Error "a `set` that opens no class"
        what "A `set` does not say `class = number`."
        why "The number is what the rules that follow belong to."
        example "set: name = \"voice\";"
        cure "Write `set: class = 1, …;`."
    RESERVED_CLASS "E207" Error "a class that is reserved"
        what "A class is numbered 0 or named `others` or `all`."
        why "`others` is the class of the packets that no rule matches, and `all` means every class."
        example "set: class = 1, name = \"others\";\naddrule: proto = udp;"
        cure "Choose another number or name."
    EMPTY_CLASS "W208" Warning "a class without a rule"
        what "A class is opened and no rule added to it."
        why "Nothing is counted as it, and no traffic is made for it."
        example "set: class = 1;"
        cure "Add a rule or take the class out."
    NOTHING "E250" Error "a rule that matches no packet"
        what "The tests of a rule contradict each other for every kind of packet."
        why "A packet has one protocol, one IP version and one EtherType; ports, flags and types come with protocols of their own."
        example "set: class = 1;\naddrule: proto = {icmp, tcp}, icmptype = 8, dstip = 2001:db8::/32;"
        cure "Drop one of the tests, or the rule."
    COVERED "W251" Warning "a rule that can never match"
        what "Every packet that the rule accepts is matched by earlier rules."
        why "The first rule that matches wins."
        example "set: class = 1;\naddrule: proto = udp;\nset: class = 2;\naddrule: proto = udp, dstport = 53;"
        cure "Put it in front of them, or remove it."
    OVERLAP "W252" Warning "rules of different classes that overlap"
        what "Some packets match rules of two classes."
        why "They are counted as the class of the earlier rule."
        example "set: class = 1;\naddrule: dstport = 53;\nset: class = 2;\naddrule: srcport = 53;"
        cure "Narrow one of the rules where this is not meant."
    UNKNOWN_REACH "W253" Warning "a rule of which it is not known whether it can match"
        what "Too many earlier rules overlap the rule in too many ways for an exact answer."
        why "The work that the check may do is bounded."
        example ""
        cure "Merge earlier rules of one class into sets, put the rule in front of them, or let `check --advise` look longer."
    UNCHECKED "L254" Lint "rules whose overlaps are not looked for"
        what "So many rules overlap that the check has not compared all of them; the message says from which on."
        why "Overlaps can be as many as there are pairs of rules, and the work that the check may do is bounded."
        example ""
        cure "Let `check --advise` look longer, or check parts of the rules by themselves."
    CLASS_AGAIN "L258" Lint "a class that is opened again"
        what "A `set` opens a class that has rules already; further rules of it follow."
        why "The first match wins in the order of the file, so a class can need rules behind those of another; more often it is a number used twice."
        example "set: class = 1;\naddrule: proto = udp;\nset: class = 1;\naddrule: proto = tcp;"
        cure "Nothing, where it is meant; else use the next free number."
    NO_PACKETS "W255" Warning "a class that no packet is of"
        what "Every packet that the rules of the class accept is matched by earlier rules of other classes."
        why "The class counts nothing and can receive no traffic."
        example "set: class = 1;\naddrule: proto = udp;\nset: class = 2;\naddrule: proto = udp, dstport = 53;"
        cure "Put its rules in front of those that cover them, or take the class out."
    MERGEABLE "L256" Lint "rules that could be one"
        what "Rules of one class differ in one field only, and no rule of another class in between overlaps them. Told by `check --advise`."
        why "A meter that compares rules one by one makes one comparison instead of several."
        example "set: class = 1;\naddrule: proto = udp, dstport = 53;\naddrule: proto = udp, dstport = 123;"
        cure "Write one rule with a set: `dstport = {53, 123}`."
    REORDER "L257" Lint "an order of the rules that takes fewer comparisons"
        what "Rules that get much of the traffic stand behind rules that get little and do not overlap them. Told by `check --advise`."
        why "A meter that compares rules one by one compares all that stand before the one that matches."
        example "set: class = 1;\naddrule: proto = udp;\nset: class = 2;\naddrule: proto = tcp;\nload: class = 1, weight = 10%;\nload: class = 2, weight = 90%;"
        cure "Put the rules that get most of the traffic first; rules that overlap keep their order."
    TARGET "E301" Error "a `load` that does not say what it loads"
        what "The first item of a `load` is not `class`, `rule`, `others` or `all`."
        why "The settings behind it belong to nothing."
        example "load: weight = 20%;"
        cure "Write `class`, `class = 3`, `class = \"voice\"`, `rule = 5`, `others` or `all` first."
    UNKNOWN_TARGET "E302" Error "traffic for a class or rule that is not there"
        what "A `load` names a class or a rule that the file does not have."
        why "No packet can be made for it."
        example "set: class = 1;\naddrule: proto = udp;\nload: class = 2, weight = 20%;"
        cure "Correct the number or name. Rules count from 1 in the order of the file."
    OVER_100 "E303" Error "weights of more than 100 %"
        what "The weights come to more than all packets, or those of a class's rules to more than the class has."
        why "A weight is a share. A `load` for several classes gives each of them the weight."
        example "set: class = 1;\naddrule: proto = udp;\nload: class, weight = 80%;\nload: others, weight = 30%;"
        cure "Lower the weights, or leave one out: it then gets what is left."
    UNDER_100 "E304" Error "weights of less than 100 %"
        what "Everything has a weight, and together they are less than all packets (or than the class has)."
        why "Nobody gets what is left."
        example "set: class = 1;\naddrule: proto = udp;\nload: class, weight = 80%;"
        cure "Raise a weight, leave one out, or load `others` with the rest."
    MISPLACED_SETTING "E305" Error "a setting that this target does not have"
        what "`weight` for `all`, `miss` for anything but `others`, or `births` where no flow ends."
        why "It would have no effect."
        example "load: all, weight = 20%;"
        cure "Write it at a class, a rule or `others`."
    NO_TRAFFIC "W306" Warning "a class that gets no traffic"
        what "The other weights leave nothing for this class."
        why "Its count would be zero, which is hardly what a test wants."
        example "set: class = 1;\naddrule: proto = udp;\nload: class, weight = 100%;\nset: class = 2;\naddrule: proto = tcp;"
        cure "Lower the other weights, or give it `weight = 0%` if it is meant."
    WEIGHT_OF_NOTHING "E307" Error "a weight for a class without rules"
        what "A class that has no rule is given a weight."
        why "No packet can be of that class."
        example "set: class = 1;\nload: class, weight = 20%;\nset: class = 2;\naddrule: proto = udp;"
        cure "Add a rule to the class, or take the weight out."
    IMPOSSIBLE "E308" Error "packets that cannot be made"
        what "Traffic is asked for that no packet can be: of a rule that earlier rules cover, or of `others` where the rules cover everything."
        why "A packet made for a rule must be first matched by it, and one of `others` by no rule."
        example "set: class = 1;\naddrule: proto = udp;\nset: class = 2;\naddrule: proto = udp, dstport = 53;\nload: class = 2, weight = 50%;"
        cure "Put the rule in front of those that cover it, or take the `load` out."
    PARAMETER "E309" Error "a model without a parameter that it needs"
        what "A distribution or model is named, and a parameter without a default is left out."
        why "Nothing can be drawn without it."
        example "load: all, size = lognormal(mean = 400 B);"
        cure "Write the parameter; `csnbench help csn` lists the models with theirs."
    TOO_MANY_RULES "E401" Error "more rules than the file has"
        what "`vary: rules` asks for more rules than the file has."
        why "The point could not be measured."
        example "set: class = 1;\naddrule: proto = udp;\nmeter: rtfm;\nvary: rules = 0, 10;"
        cure "Use the number of rules at most."
    SAME_POINT "W402" Warning "a point that is measured twice"
        what "An axis holds the same value twice, or a meter is named twice with the same options."
        why "It takes time and gives nothing that `repeat` does not."
        example "set: class = 1;\naddrule: proto = udp;\nvary: flows = 1, 10, 1;"
        cure "Take one out."
    TWO_AXES "E403" Error "two axes in one `vary`"
        what "A `vary` names a second axis."
        why "One `vary` is one axis; several make a grid."
        example "vary: flows = 1, 10, others = 0%, 50%;"
        cure "Write a second `vary`."
    IMPORT_SYNTAX "E501" Error "text that is not of the imported format"
        what "A line of an imported rule set cannot be read."
        why "Leaving it out in silence would change what the rules mean."
        example "@10.0.0.0/8 0.0.0.0/0 0 : 65535 80 0x06/0xFF"
        cure "Mend the line; the message shows what is expected there. `--allow-loss` leaves such lines out."
    IMPORT_LOST "E502" Error "a rule that the notation cannot say"
        what "A rule of an imported set tests something that no field of CSN holds, or acts in a way that is not a class."
        why "Taking it over in part would count other packets than it does."
        example "@10.0.0.0/8 0.0.0.0/0 0 : 65535 0 : 65535 0x06/0xF0 0x0000/0x0000"
        cure "Write what is meant in CSN by hand; `--allow-loss` leaves the rule out."
    IMPORT_ASIDE "W503" Warning "a part of an imported rule set that is left aside"
        what "A statement of an imported set that is no rule, such as a counter's value or a default action."
        why "It changes no class, but it is not in the CSN file either."
        example "*filter\n:INPUT DROP [5:300]\nCOMMIT"
        cure "Nothing need be done."
    EDIT_BROKEN "E601" Error "a file that cannot be edited by command"
        what "A name, class or rule of the file is in error, or the file would not hold its other rules after the edit as before."
        why "Where a rule belongs is known only where all rules are."
        example "# csnbench add x.csn --class 1 'proto = udp'\nset: class = 1;\naddrule: dstprot = 53;"
        cure "Mend the errors first; they are shown with this one."
    EDIT_MISSING "E602" Error "a class or rule to be edited that is not there"
        what "The command names a class or a rule that the file does not have."
        why "There is nothing to add to, or to remove."
        example "# csnbench remove x.csn --class vioce\nset: class = 1, name = \"voice\";\naddrule: proto = udp;"
        cure "Name a class by its name or number, a rule by its number in the file or its text. `add` opens a class whose number is free."
    EDIT_ELSEWHERE "E603" Error "a class or rule to be edited that is in another file"
        what "The class, a rule of it or its traffic stands in a file that this one includes."
        why "A command changes the file that it names, and no other."
        example "# csnbench add x.csn --class 9 'proto = tcp'\ninclude: \"nine.csn\";"
        cure "Edit the file that the message names."
    EDIT_SHARED "E604" Error "a class or rule that a statement makes together with others"
        what "One statement opens several classes, makes several rules with `each` or gives several classes their traffic, and the edit is about one of them."
        why "There is no text that belongs to that one alone."
        example "# csnbench remove x.csn --class 2\nset: class = 1..3;\naddrule: proto = udp, dstport = each 1..3;"
        cure "Take it out of the list by hand, or give it a statement of its own."
    EDIT_NUMBERS "E605" Error "an edit after which traffic would get to another rule"
        what "A `load: rule = n` stands for a rule behind the place of the edit."
        why "Rules are counted from the start of the file, so the number would stand for another rule."
        example "# csnbench remove x.csn --rule 1\nset: class = 1;\naddrule: proto = udp;\naddrule: proto = tcp;\nload: rule = 2, weight = 10%;\nload: others;"
        cure "Give the traffic to a class, `load: class = 1, …`, or take the `load` out before the edit."
    EDIT_NAME "E606" Error "a name for a class that has another"
        what "`add --name` gives a name, and the class is there already without it."
        why "Adding a rule does not rename a class."
        example "# csnbench add x.csn --class 1 --name mail 'dstport = 25'\nset: class = 1, name = \"web\";\naddrule: dstport = 80;"
        cure "Leave `--name` out to add to the class, or take a number that is free."
    EDIT_ARGUMENT "E607" Error "a word of the command that is not one rule"
        what "The text of a rule holds the end of a statement."
        why "Each word of the command is one `addrule`."
        example "# csnbench add x.csn --class 1 'dstport = 25; dstport = 80'\nset: class = 1;"
        cure "Give each rule as a word of its own, in quotes."
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Loader, edit};

    struct Files;

    impl Loader for Files {
        fn load(&mut self, _: &str, path: &str) -> Result<(String, String), String> {
            match path {
                "loop.csn" => Ok((path.into(), "include: \"loop.csn\";".into())),
                "empty.csn" => Ok((path.into(), String::new())),
                "nine.csn" => Ok((path.into(), "set: class = 9;\naddrule: proto = udp;".into())),
                _ => Err("no such file".into()),
            }
        }
    }

    #[test]
    fn codes_are_unique_and_their_letters_tell_how_grave_they_are() {
        for (i, c) in CODES.iter().enumerate() {
            assert!(CODES[..i].iter().all(|d| d.code != c.code), "{} twice", c.code);
            let letter = match c.severity {
                Severity::Error => 'E',
                Severity::Warning => 'W',
                Severity::Lint => 'L',
            };
            assert!(c.code.starts_with(letter) && c.code.len() == 4, "{}", c.code);
            assert_eq!(Code::find(c.code), Some(c));
        }
    }

    /// What an edit is refused with, by its words on the command line.
    fn edited(text: &str, command: &str) -> Vec<&'static str> {
        let quoted = command.split('\'').enumerate();
        let words: Vec<&str> = quoted
            .flat_map(|(i, part)| if i % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
            .collect();
        let option = |name| words.iter().position(|w| *w == name).map(|i| words[i + 1]);
        let class = option("--class").unwrap_or_default();
        let refused = match (words[0], option("--rule")) {
            ("add", _) => {
                let addition =
                    edit::Addition { class, class_name: option("--name"), rule: words[words.len() - 1] };
                edit::add("x.csn", text, &mut Files, &addition)
            }
            (_, Some(n)) => edit::remove("x.csn", text, &mut Files, &edit::Removal::Rule(n.parse().unwrap())),
            _ => edit::remove("x.csn", text, &mut Files, &edit::Removal::Class(class)),
        };
        refused.map_or_else(|r| r.diagnostics.iter().map(|d| d.code).collect(), |_| Vec::new())
    }

    #[test]
    fn every_page_says_what_why_and_what_to_do_in_whole_sentences() {
        for c in CODES {
            assert!(!c.title.is_empty() && !c.title.ends_with('.'), "{}", c.code);
            for text in [c.what, c.why, c.cure] {
                assert!(text.ends_with(['.', '?']) && text.len() > 10, "{}: {text}", c.code);
            }
        }
    }

    #[test]
    fn every_example_has_what_it_is_an_example_of() {
        // NOTHING stands behind CONTRADICTION for rule sets that do not come from text, and an example that exhausts
        // a bound would be as long as the bound
        // those of imports are not about this notation
        let elsewhere = |c: &&Code| [NOTHING, UNKNOWN_REACH, UNCHECKED].contains(c) || &c.code[1..2] == "5";
        for c in CODES.iter().filter(|c| !elsewhere(c)) {
            let found = match c.example.strip_prefix("# csnbench ") {
                Some(rest) => edited(c.example, rest.lines().next().unwrap_or_default()),
                None => {
                    let out = crate::compile("example.csn", c.example, &mut Files);
                    let advice = crate::geometry::advice(&out.scenario.rules, &out.scenario.mix).diagnostics;
                    out.diagnostics.iter().chain(&out.unexecuted).chain(&advice).map(|d| d.code).collect()
                }
            };
            // the errors that hinder an edit are shown with it
            if *c == EDIT_BROKEN {
                assert_eq!(found, ["E110", c.code]);
                continue;
            }
            assert!(found.contains(&c.code), "{}: found {found:?}", c.code);
            let others = found.iter().filter(|f| **f != c.code && f.starts_with('E'));
            assert_eq!(others.count(), 0, "{}: found {found:?}", c.code);
        }
    }
}
