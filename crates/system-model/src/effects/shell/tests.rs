//! Which commands are found in a text.

use super::*;
use crate::Location;

#[derive(Default)]
struct Collector {
    commands: Vec<Command>,
    spent: usize,
}

impl Runner for Collector {
    fn run(&mut self, command: &Command, _: &mut Context<'_>) -> Result<(), SystemError> {
        self.commands.push(command.clone());
        Ok(())
    }

    fn assign(&mut self, _: &str, _: &Context<'_>, _: (usize, usize)) {}

    fn read(&mut self, _: &str) {}

    fn calls(&mut self, _: &Command) -> bool {
        true
    }

    fn spend(&mut self, bytes: usize) -> bool {
        self.spent += bytes + 200;
        self.spent < 4 << 20
    }
}

fn commands(text: &str) -> Vec<Command> {
    let mut collector = Collector::default();
    let mut environment = Environment::new(&[("F".into(), "/etc/hosts".into())], "/");
    let place = Place::at(&Location::new("/x", 1));
    let context = Context { environment: &mut environment, place: &place, text, depth: 0 };
    read(&mut collector, context).unwrap();
    collector.commands
}

/// The commands, each as one line; those of loops and tests left out.
fn lines(text: &str) -> Vec<String> {
    let all = commands(text).into_iter().map(|one| one.words.join(" "));
    all.filter(|line| !line.is_empty()).collect()
}

#[test]
fn commands_of_a_line() {
    for (text, found) in [
        ("if [ -x /a ]; then /a start; fi", vec!["[ -x /a ]", "/a start"]),
        ("A=1 sudo -n rm -f \"$F\" # x", vec!["rm -f /etc/hosts"]),
        ("B=$(hostname)", vec!["hostname"]),
        ("sudo -u root -- rm x; timeout -k 3 5 rm y", vec!["rm x", "rm y"]),
        ("command -v rm && env -i A=b rm z", vec!["rm z"]),
        ("echo $(( 1 + 2 )) ${#F} '$F' $'a\\'b'", vec!["echo $(()) /etc/hosts $F a'b"]),
        ("rm /etc/{hostname,hosts}", vec!["rm /etc/hostname /etc/hosts"]),
        ("a \\\n  b\nc", vec!["a b", "c"]),
        ("echo \"it's\" # don't\nrm x", vec!["echo it's", "rm x"]),
        ("x() { rm \"$1\"; }; x /a /b", vec!["rm $1", "rm /a", "x /a /b"]),
        ("function x { rm \"$@\"; }\nx /a /b", vec!["rm $@", "rm /a /b", "x /a /b"]),
    ] {
        assert_eq!(lines(text), found, "{text}");
    }
    assert_eq!(commands("echo x >> '/etc/hosts' 2>&1")[0].writes, ["/etc/hosts"]);
    assert_eq!(commands("echo x &>/a 2>/b >|/c")[0].writes, ["/a", "/b", "/c"]);
}

#[test]
fn variables_have_the_values_that_they_may_have() {
    for (text, found) in [
        ("for k in /a /b; do rm \"$k\"; done", vec!["rm /a", "rm /b"]),
        ("for k in $(ls /a /b)\ndo\nrm $k\ndone", vec!["ls /a /b", "rm /a", "rm /b"]),
        ("L=(/a /b); for k in \"${L[@]}\"; do rm $k; done", vec!["rm /a", "rm /b"]),
        ("for k in a b; do cp $k /x/$k; done", vec!["cp a /x/a", "cp b /x/b"]),
        ("if x; then A=1; else A=2; fi; rm $A", vec!["x", "rm 1", "rm 2"]),
        ("A=0; case $1 in a|b) A=1;; *) A=2 ;; esac\nrm $A", vec!["rm 0", "rm 1", "rm 2"]),
        ("case $1 in\n(a) rm x;;\nb)\nrm y\nesac; rm z", vec!["rm x", "rm y", "rm z"]),
        ("(A=1; rm $A); rm $A", vec!["rm 1", "rm $A"]),
        ("D=/a/b; rm ${D%/*} ${D##*/} ${X:-/y}", vec!["rm /a b /y"]),
        ("A=/a; A+=/b; rm $A", vec!["rm /a/b"]),
        ("set -- /a /b; shift; rm $1 \"$@\"", vec!["set -- /a /b", "shift", "rm /b /b"]),
        ("A='/a /b'; rm $A \"$A\"", vec!["rm /a /b /a /b"]),
    ] {
        assert_eq!(lines(text), found, "{text}");
    }
}

#[test]
fn pipes_pass_words_on() {
    for (text, found) in [
        ("ls /a | xargs rm -f", vec!["ls /a", "rm -f /a"]),
        ("ls /a | grep x | xargs -I{} mv {} /b", vec!["ls /a", "grep x", "mv /a *x* /b"]),
        (
            "find /e -name 'k*' | while read k; do rm \"$k\"; done",
            vec!["find /e -name k*", "read k", "rm /e/k*"],
        ),
        (
            "find /e -name k -exec sudo rm {} \\;",
            vec!["find /e -name k -exec sudo rm {} ;", "rm /e/k"],
        ),
        ("cat <<EOF | sh\nrm x\nEOF\nrm y", vec!["cat", "sh", "rm y"]),
    ] {
        assert_eq!(lines(text), found, "{text}");
    }
    let piped = commands("cat <<EOF | sh\nrm x\nEOF");
    assert_eq!(piped[1].document, Some(Document { text: "rm x\n".into(), line: 2 }));
}

#[test]
fn the_working_directory_is_followed() {
    for (text, found) in [
        ("cd /etc; x", "/etc"),
        ("cd /etc && cd ssh && x", "/etc/ssh"),
        ("(cd /etc); x", "/"),
        ("cd /etc; (x)", "/etc"),
        ("cd /etc; cd ../var/./lib; x", "/var/lib"),
        ("cd /a; cd /b; cd -; x", "/a"),
        ("pushd /a; popd; x", "/"),
    ] {
        let last = commands(text).into_iter().rfind(|one| one.words == ["x"]).unwrap();
        assert_eq!(last.directory.as_deref(), Some(found), "{text}");
    }
}

#[test]
fn here_documents_are_no_commands() {
    let text = "cat > /a <<-'A' 2>&1 && x\n\trm $F\n\tA\ncat <<B <<C\nb\nB\nc\nC\ny";
    let all = commands(text);
    let words: Vec<String> = all.iter().map(|one| one.words.join(" ")).collect();
    assert_eq!(words, ["cat", "x", "cat", "y"]);
    assert_eq!(all[0].document.as_ref().unwrap().text, "\trm $F\n");
    assert_eq!(all[2].document.as_ref().unwrap().text, "c\n");
    assert_eq!(all[3].line, 9);
}

#[test]
fn any_text_is_taken_apart() {
    for text in [
        "'",
        "\"",
        "\\",
        ">",
        "$",
        "${",
        "a\\",
        "`",
        "é>é",
        "$(((",
        "${a",
        "case",
        "case x in",
        "case x in a",
        "for",
        "f()",
        "f() {",
        "a=(",
        "<<",
        "<<A",
        "((",
        "((a",
        "}",
        "fi",
        "esac",
        ";;",
        "|",
        "2>",
        "function",
        "while",
        "$(\"",
        "\"$(",
        "`\\",
        "<(",
        "a=(b",
        "<<<",
        "shift",
    ] {
        commands(text);
    }
}

/// Unclosed marks without end, functions that call themselves, and words that grow.
#[test]
fn hostile_text_takes_time_that_grows_with_its_length() {
    let often = |text: &str| text.repeat(200_000 / text.len());
    let begun = std::time::Instant::now();
    for text in [
        often("$("),
        often("${"),
        often("\""),
        often("'"),
        often("`"),
        often("$(("),
        often("(("),
        often("<<A "),
        often("<<A\n"),
        often("{ "),
        often("( "),
        often("a() { "),
        often("\"$(\" "),
        often("if x; then "),
        often("case x in a) "),
        often("a=( "),
        often("$(\"$("),
        often("{a,"),
        format!("A=$(x{})\nrm {{{}}}", often("$A"), often("{a,b}")),
        format!("A={}\n{}", "x".repeat(900), often("B=$A$A; rm $A$B ")),
        format!("f() {{ f; f; f; }}; {}", often("f;")),
        format!("for a in {}; do {}; done", often("x "), often("rm $a; ")),
        format!("rm {}", "{a,b}".repeat(1000)),
    ] {
        commands(&text);
        let start = text.get(..40).unwrap_or(&text);
        assert!(begun.elapsed().as_secs() < 60, "{start}: {:?}", begun.elapsed());
    }
}
