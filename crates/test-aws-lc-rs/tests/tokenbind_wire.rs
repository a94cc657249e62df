//! The vectors of tokenbind-wire, verified with aws-lc-rs.

use conformance::{Input, Origin, VectorFile, repository};
use conformance_tokenbind_wire::{PROTOCOL, case::Message};
use tokenbind_wire::{Outcome, PkiTypes, RustCrypto, establish};

#[test]
fn decides_like_rustcrypto_on_each_message_of_the_vectors() {
    let aws_lc_rs = PkiTypes::new(&[
        webpki::aws_lc_rs::ECDSA_P256_SHA256,
        webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    ]);
    let path = PROTOCOL.folder(&repository()).join("vectors/message.json");
    let file = VectorFile::load(&path, Origin::Own).expect("vectors");
    let (mut established, mut refused) = (0, 0);
    for case in file.cases {
        let message = Message::read(Input(case.input)).expect("a case of the suite");
        let (session, sent) = (message.session.as_ref(), message.sent.as_deref());
        let (position, profile) = (message.position, message.profile);
        let expected = establish(session, position, sent, &RustCrypto, profile);
        let outcome = establish(session, position, sent, &aws_lc_rs, profile);
        assert_eq!(outcome, expected, "{}", case.name);
        match outcome {
            Outcome::Established(_) => established += 1,
            Outcome::Terminate(_) => refused += 1,
            _ => {}
        }
    }
    assert!(
        established > 50 && refused > 100,
        "{established} established, {refused} refused"
    );
}
