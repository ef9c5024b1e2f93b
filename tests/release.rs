//! What goes into the order in which a release is linked.

use std::fs;

use crate::support::{command::Run, component::Component};

#[test]
fn what_commands_of_every_day_enter_is_put_together_and_not_all_that_there_is() {
    let (Some(python), Some(_)) = (Component::Python.or_skip(), Component::Valgrind.or_skip())
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let order = |program: &str| {
        let run = Run::new(&python).args(["tools/startup-order.py", program]);
        run.args([folder.path()]).finish()
    };
    let named = order(env!("CARGO_BIN_EXE_notation-kms")).expect_status(0).stdout;
    let script = fs::read_to_string(named.trim_end()).unwrap();
    assert!(script.starts_with("SECTIONS {\n  .text.everyday : {\n    *(.text."), "{named}");
    assert!(script.ends_with(")\n  }\n} INSERT BEFORE .text;\n"), "{named}");
    let place = |function: &str| script.find(function);
    let [verified, asked, signed] =
        ["8Verifier8evaluate", "6remote4pull", "4sign13sign_envelope"].map(place);
    assert!(verified.is_some() && verified < asked && asked < signed, "{named}");
    assert!(place("4keys3aws") > signed, "{named}");
    assert_eq!([place("3cli3dct7migrate"), place("14clap_complete")], [None, None]);

    // Another program, and one without symbols, are refused, and nothing is written.
    let stripped = folder.path().join("stripped");
    let strip = Run::new("strip").args([env!("CARGO_BIN_EXE_notation-kms"), "-o"]);
    strip.args([&stripped]).finish().expect_status(0);
    for (program, refusal) in [
        ("/bin/true", "startup-order: /bin/true makes no quickstart"),
        (
            stripped.to_str().unwrap(),
            "startup-order: 0 functions are not all that a verification enters",
        ),
    ] {
        assert_eq!(order(program).expect_status(1).stderr.lines().last(), Some(refusal));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
