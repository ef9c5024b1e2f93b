//! The JSON that commands print: every form of it is valid by its schema, docs/schemas/, which docs/json.md
//! explains member by member.

mod samples;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::command::Run;

/// Members below which names are anybody's, or those of other forms.
const MAPS: [&str; 4] = ["pluginConfig", "userDefinedAttributes", "userMetadata", "results"];

/// Members that may be left out, each with the member that holds it.
const OPTIONAL: [(&str, &str); 3] =
    [("problems", "subject"), ("problems", "clause"), ("signedArtifact", "artifactType")];

/// Members that stand on the page once, though they are in two places: those below the first are those of the
/// second.
const SHARED: [(&str, &str, &str, &str); 7] = [
    ("cert-list", "certificates[].", "cert-show", "certificates[]."),
    ("revocation-check", "certificates[].", "verify", "signatures[].outcome.revocation[]."),
    (
        "verify",
        "signatures[].outcome.timestamp.revocation[].",
        "verify",
        "signatures[].outcome.revocation[].",
    ),
    ("inspect", "signatures[].", "blob-inspect", ""),
    (
        "blob-inspect",
        "unsignedAttributes.timestamp.certificates[].",
        "blob-inspect",
        "certificates[].",
    ),
    ("key-list", "keys[].", "key-describe", ""),
    ("dct-inspect", "repositories[].roles[].keys[].", "dct-inspect", "repositories[].rootKeys[]."),
];

#[test]
fn what_commands_print_has_the_form_of_its_schema() {
    let schemas = schema::all();
    for sample in samples::all() {
        let faults = schema::faults(&schemas[sample.schema], &sample.json);
        assert!(
            faults.is_empty(),
            "{}, {}: {faults:#?}\n{:#}",
            sample.schema,
            sample.what,
            sample.json
        );
    }
}

#[test]
fn every_schema_has_a_sample_and_every_command_with_json_a_schema() {
    let schemas: BTreeSet<String> = schema::all().into_keys().collect();
    let sampled: BTreeSet<String> =
        samples::all().iter().map(|sample| sample.schema.to_owned()).collect();
    assert_eq!(schemas, sampled, "schemas, and what samples are of");
    let mut commands: BTreeSet<String> = with_json(&[]).into_iter().collect();
    assert!(commands.remove("blob-verify"), "its schema is that of verify");
    commands.extend(["error", "results", "list-signed-by"].map(ToOwned::to_owned));
    assert_eq!(schemas, commands, "schemas, and commands that print JSON");
}

#[test]
fn a_member_more_or_less_is_not_of_the_form() {
    let schemas = schema::all();
    for sample in samples::all() {
        let schema = &schemas[sample.schema];
        let validator = jsonschema::draft202012::new(schema).unwrap();
        for place in objects(&sample.json) {
            let changed = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut json = sample.json.clone();
                change(json.pointer_mut(&place).unwrap().as_object_mut().unwrap());
                validator.is_valid(&json)
            };
            let name = format!("{}, {}, {place}", sample.schema, sample.what);
            let more = changed(&|object| drop(object.insert("unknown".to_owned(), Value::Null)));
            assert!(!more, "{name}: takes a member that nobody knows");
            let object = sample.json.pointer(&place).unwrap().as_object().unwrap();
            for member in object.keys() {
                let holder = place.split('/').rfind(|part| part.parse::<usize>().is_err());
                let is_optional = OPTIONAL.contains(&(holder.unwrap_or_default(), member));
                let less = changed(&|object| drop(object.remove(member)));
                assert_eq!(less, is_optional, "{name}: without {member}");
            }
        }
    }
}

#[test]
fn samples_have_every_result_of_a_verification() {
    let known = schema::all()["verify"]["properties"]["result"]["enum"].clone();
    let known: BTreeSet<&str> =
        known.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let verified = samples::all().iter().filter(|sample| sample.schema == "verify");
    let seen: BTreeSet<&str> =
        verified.filter_map(|sample| sample.json["result"].as_str()).collect();
    assert_eq!(known, seen);
}

#[test]
fn a_definition_is_the_same_in_every_schema() {
    let mut known = BTreeMap::new();
    for (name, schema) in schema::all() {
        for (definition, value) in schema["$defs"].as_object().into_iter().flatten() {
            let (first, earlier) =
                known.entry(definition.clone()).or_insert_with(|| (name.clone(), value.clone()));
            assert_eq!(earlier, value, "{definition} in {name} and in {first}");
        }
    }
    assert!(known.contains_key("digest"));
}

#[test]
fn the_page_explains_every_member_and_no_other() {
    let sections = sections();
    for (name, schema) in schema::all() {
        let section =
            sections.get(&name).unwrap_or_else(|| panic!("docs/json.md has no section of {name}"));
        let table = section.split("| member | is |\n").nth(1).unwrap_or_default();
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let cells = rows.filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
        let told: BTreeSet<String> = cells
            .flat_map(|cell| cell.trim_matches('`').split("`, `"))
            .map(ToOwned::to_owned)
            .collect();
        assert_eq!(
            told,
            expected_on_the_page(&name, &schema),
            "{name}: on the page, and in the schema"
        );
    }
}

#[test]
fn the_pages_examples_have_the_form_of_their_schemas() {
    let (sections, schemas) = (sections(), schema::all());
    for (name, schema) in &schemas {
        let section = &sections[name];
        let example = section.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
        let example = example.unwrap_or_else(|| panic!("{name} has no example"));
        let example: Value =
            serde_json::from_str(example).unwrap_or_else(|e| panic!("{name}: {e}"));
        let faults = schema::faults(schema, &example);
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}

/// Places of all objects whose members have fixed names, as JSON pointers.
fn objects(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut queue = vec![(String::new(), value)];
    while let Some((place, value)) = queue.pop() {
        match value {
            Value::Object(members) => {
                let below = members.iter().filter(|(name, _)| !MAPS.contains(&name.as_str()));
                queue.extend(below.map(|(name, member)| (format!("{place}/{name}"), member)));
                found.push(place);
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                queue.extend(items.map(|(i, item)| (format!("{place}/{i}"), item)));
            }
            _ => {}
        }
    }
    found
}

/// The commands below `words` that print JSON, each as its schema is called.
fn with_json(words: &[&str]) -> Vec<String> {
    let help = Run::notation_kms().args(words).arg("--help").finish().expect_status(0).stdout;
    let Some((_, commands)) = help.split_once("\nCommands:\n") else {
        let is_json = help.contains("--output <FORMAT>") && help.contains("json");
        return if is_json { vec![words.join("-")] } else { Vec::new() };
    };
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| *name != "help");
    names.flat_map(|name| with_json(&[words, &[name]].concat())).collect()
}

/// The sections of docs/json.md that link to a schema, by its name.
fn sections() -> BTreeMap<String, String> {
    let page = include_str!("../../docs/json.md");
    let section = |text: &str| {
        let name = text.split("(schemas/").nth(1)?.split(".schema.json)").next()?;
        Some((name.to_owned(), text.to_owned()))
    };
    page.split("\n## ").filter_map(section).collect()
}

fn expected_on_the_page(name: &str, schema: &Value) -> BTreeSet<String> {
    let mut expected = schema::members(schema);
    for (_, below, other, other_below) in SHARED.iter().filter(|shared| shared.0 == name) {
        let shared: Vec<String> = schema::members(&schema::all()[*other])
            .iter()
            .filter_map(|member| Some(format!("{below}{}", member.strip_prefix(other_below)?)))
            .collect();
        expected.retain(|member| !shared.contains(member));
    }
    expected
}
