//! An export of the Clerk Dashboard with columns added runs as it is, and its secrets stay in it.

use crate::world::{World, holds, id, outcomes};

const HEADER: &str = "id,first_name,last_name,username,primary_email_address,primary_phone_number,\
    verified_email_addresses,unverified_email_addresses,verified_phone_numbers,unverified_phone_numbers,totp_secret,\
    password_digest,password_hasher";

/// An export of so many users, with a role for each; digests and one-time secrets differ from user to user.
fn export(users: u64) -> String {
    let line = |n: u64| {
        let digest = format!("$2a$10$DIGESTdigest{n:04}abcdefghijklmnopqrstuvwxyz");
        let email = format!("user{n:06}@example.com");
        format!(
            "{},Sample,\"User, {n}\",,{email},,\"{email},b{n}@example.com\",,,,TOTPSECRET{n:04},{digest},bcrypt,role-{n}\n",
            id(n)
        )
    };
    format!("{HEADER},public.role\n{}", (0..users).map(line).collect::<String>())
}

fn keeps_its_secrets(text: &[u8]) -> bool {
    !holds(text, "DIGEST") && !holds(text, "$2a$") && !holds(text, "TOTPSECRET")
}

#[test]
fn it_runs_without_configuration_and_no_digest_is_found_anywhere() {
    let world = World::new().users(40).start();
    // Some rows end badly, in every way a row can.
    let mut export = export(40);
    world.sandbox.delete_user(&id(3));
    export += "user_short,Sample,Row,,,,,,,,TOTPSECRETshort,$2a$10$DIGESTshort,bcrypt\n";
    export += "bad/id,,,,,,,,,,TOTPSECRETid,$2a$10$DIGESTid,bcrypt,editor\n";
    export += "user_long,,,,,,,,,,TOTPSECRETlong,$2a$10$DIGESTlong,bcrypt,editor,$2a$10$DIGESTmore\n";
    world.write("export.csv", &export);
    let mut said = vec![world.ends(1, ["plan", "export.csv", "-v"])];
    assert!(keeps_its_secrets(&world.left_behind().concat_bytes()), "in the plan");
    said.push(world.ends(1, ["apply", "export.csv", "-v"]));
    let rows = world.rows();
    assert_eq!(outcomes(&rows)[40..], ["rejected"; 3]);
    assert_eq!(rows.iter().filter(|row| row.outcome == "applied").count(), 39);
    assert_eq!(rows[3].outcome, "not_found");
    for n in (0..40).filter(|n| *n != 3) {
        assert_eq!(world.held(&id(n))["public_metadata"]["role"], format!("role-{n}"));
    }
    let run = world.last_run();
    for format in ["text", "csv", "failed", "json"] {
        said.push(world.ends(0, ["report", &run, "--format", format, "--show-private"]));
    }
    for output in said {
        assert!(keeps_its_secrets(output.stdout.as_bytes()), "{output:#?}");
        assert!(keeps_its_secrets(output.stderr.as_bytes()), "{output:#?}");
    }
    assert!(keeps_its_secrets(&world.left_behind().concat_bytes()));
}

#[test]
fn what_is_left_out_is_said_once() {
    let world = World::new().users(3).start();
    world.write("export.csv", export(3));
    let done = world.ends(0, ["apply", "export.csv"]);
    for said in [&done.stdout, &done.stderr] {
        assert_eq!(said.matches("left out: first_name").count(), 1, "{done:#?}");
    }
}

#[test]
fn its_failed_rows_can_be_fed_back_and_lines_that_could_not_be_read_are_not_kept() {
    let world = World::new().users(3).start();
    let short = "user_short,,,,,,,,,,TOTPSECRETx,$2a$10$DIGESTx,bcrypt\n";
    world.write("export.csv", export(3) + short);
    world.sandbox.delete_user(&id(1));
    world.ends(1, ["apply", "export.csv"]);
    let failed = world.failed();
    assert!(keeps_its_secrets(failed.as_bytes()) && !failed.contains("user_short"), "{failed}");
    let again = World::new().users(3).start();
    again.write("failed.csv", &failed);
    again.ends(0, ["apply", "failed.csv"]);
    assert_eq!(outcomes(&again.rows()), ["applied"]);
    assert_eq!(again.held(&id(1))["public_metadata"]["role"], "role-1");
}

/// All bytes of several files.
trait Concat {
    fn concat_bytes(&self) -> Vec<u8>;
}

impl Concat for Vec<(std::path::PathBuf, Vec<u8>)> {
    fn concat_bytes(&self) -> Vec<u8> {
        self.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }
}
