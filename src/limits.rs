//! Every bound on size, count, depth and time, each with its reason.
//!
//! A parser that meets a bound refuses the input and names the bound; nothing is cut short silently.

use std::time::Duration;

/// Bytes of one signature envelope. Released notation CLIs stop reading at 4 MiB.
pub const ENVELOPE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of the payload inside an envelope: a descriptor and its annotations.
pub const PAYLOAD_BYTES: usize = 1024 * 1024;

/// Depth of nested JSON values. `serde_json` stops at 128, a recursion that fits any thread's stack.
pub const JSON_DEPTH: usize = 128;

/// Signed attributes beyond the specification's own, so that a header cannot cost quadratic time.
pub const EXTENDED_ATTRIBUTES: usize = 64;

/// Certificates in one chain. Real chains hold two to five.
pub const CHAIN_CERTIFICATES: usize = 16;

/// Certificates in one PEM, DER or PKCS#7 bundle, before it is put in order.
pub const BUNDLE_CERTIFICATES: usize = 64;

/// DER bytes of one certificate. The largest public CA certificates stay under 8 KiB.
pub const CERTIFICATE_BYTES: usize = 64 * 1024;

/// Bits of the RSA keys by which signatures are verified: those that the crypto crate takes.
pub const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Bytes of a certificate file: a full bundle of full-sized certificates in PEM.
pub const CERTIFICATE_FILE_BYTES: usize = 6 * 1024 * 1024;

/// Bytes of a private key file; an encrypted RSA-4096 key is about 3.5 KiB.
pub const KEY_FILE_BYTES: usize = 64 * 1024;

/// Bytes of a passphrase file.
pub const PASSPHRASE_FILE_BYTES: usize = 4 * 1024;

/// Rounds of PBKDF2 that an encrypted key may ask for. OpenSSL's default is 2048; RFC 8018, section 4.2,
/// names ten million for very critical keys.
pub const PBKDF2_ITERATIONS: u32 = 10_000_000;

/// Bytes of memory that the scrypt of an encrypted key may ask for. OpenSSL's default takes 16 MiB.
pub const SCRYPT_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes of a configuration file (signingkeys.json, trustpolicy.json).
pub const CONFIG_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of an OCI manifest; registries refuse more than 4 MiB.
pub const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Artifacts that one command verifies at the same time: enough to hide how long a registry takes to answer.
pub const ARTIFACTS_AT_A_TIME: usize = 16;

/// Manifests below one index that are signed or copied with it. Real ones have some dozens.
pub const TREE_MANIFESTS: usize = 1_000;

/// Bytes of an annotation of a signature manifest that is looked at: the fingerprints of the longest chain, twice over.
pub const ANNOTATION_BYTES: usize = 4 * 1024;

/// Bytes of an image layout's index: some forty thousand signatures.
pub const LAYOUT_INDEX_BYTES: usize = 16 * 1024 * 1024;

/// Members of an index, or of one entry, that are not known here and kept. The specification has four.
pub const INDEX_MEMBERS: usize = 16;

/// Indexes within indexes, from a layout's own down to the manifest that is looked for. Real ones have one.
pub const INDEX_DEPTH: usize = 4;

/// Manifests that are looked at for one digest in a layout's indexes.
pub const INDEX_MANIFESTS: usize = 100_000;

/// Characters that are told of the digest of an entry which is no descriptor. The longest real digest has 135.
pub const ODD_DIGEST_CHARS: usize = 160;

/// Artifacts of a layout that a hint names.
pub const NAMED_ARTIFACTS: usize = 10;

/// Bytes of the small files of a layout in a tar, which are held in memory.
pub const LAYOUT_TAR_BYTES: usize = 256 * 1024 * 1024;

/// Bytes of an extended header in a tar. It holds a name.
pub const TAR_HEADER_BYTES: usize = 64 * 1024;

/// Signatures of one artifact that are tried, unless told otherwise; the notation CLI's own number.
pub const SIGNATURES: usize = 100;

/// Manifests that are read for each signature that may be tried: several may name one envelope, which is tried once.
pub const REPEATED_SIGNATURES: usize = 10;

/// Attributes in one distinguished name.
pub const NAME_ATTRIBUTES: usize = 64;

/// Bytes of one plugin request on standard input (plugin-extensibility.md, "Plugin contract", bounds
/// each channel at 64 MiB).
pub const PLUGIN_REQUEST_BYTES: usize = 64 * 1024 * 1024;

/// How long a plugin command may take in all, unless plugin config `timeout` says otherwise.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest `timeout` that plugin config may ask for.
pub const COMMAND_TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// Tries of one call of a key service or a server, the first included.
pub const SERVICE_ATTEMPTS: u32 = 5;

/// The longest pause before the second try; it doubles with each, and a random part of it is taken. All
/// pauses together stay well within [`COMMAND_TIMEOUT`], so that a throttled call says so in the end.
pub const SERVICE_BACKOFF: Duration = Duration::from_millis(250);

/// Characters of an error message or of a value in it, as requests may be large.
pub const PLUGIN_ERROR_CHARS: usize = 4096;

/// The longest expiry of a signature in seconds, 292 years: what the notation CLI's own durations can
/// hold.
pub const EXPIRY_SECONDS: u64 = 9_223_372_036;

/// Bytes of the file that `quickstart` packs. It is held in memory.
pub const QUICKSTART_FILE_BYTES: usize = 256 * 1024 * 1024;

/// Bytes of one metadata file of Docker Content Trust: what notary clients stop at.
pub const DCT_FILE_BYTES: usize = 100 * 1024 * 1024;

/// Bytes of a timestamp file of Docker Content Trust: what notary clients stop at.
pub const DCT_TIMESTAMP_BYTES: usize = 1024 * 1024;

/// Bytes of one public key of Docker Content Trust: what notary clients stop at.
pub const DCT_KEY_BYTES: usize = 256 * 1024;

/// Bits of the smallest RSA key that notary clients take.
pub const DCT_RSA_BITS: usize = 2048;

/// Delegations of one repository. `docker trust` makes one a signer, and one for releases.
pub const DCT_DELEGATIONS: usize = 1024;

/// Path prefixes of one delegation. Each tag is held against each of them, and each of a delegation below.
pub const DCT_PATHS: usize = 1024;

/// Versions of one root file that are read: one a key rotation, so that no real history comes near.
pub const DCT_ROOT_VERSIONS: u64 = 1024;

/// Files of one repository that may fail before the rest is not asked for: a server that is down costs its
/// time-out with each.
pub const DCT_FAILED_FILES: usize = 3;

/// Signatures of one metadata file that are looked at; real ones have one to three, and each costs time.
pub const DCT_SIGNATURES: usize = 64;

/// Bytes of an archive of Docker Content Trust data, which is held in memory while it is inspected. A
/// repository takes some ten kilobytes, so that this is a whole registry.
pub const DCT_ARCHIVE_BYTES: usize = 2 * 1024 * 1024 * 1024;

/// Bytes of a list of repositories or images: some hundred thousand names.
pub const NAME_LIST_BYTES: usize = 16 * 1024 * 1024;

/// How long a server may take to be connected to, and for each part of an answer, unless a caller says
/// otherwise.
pub const SERVER_TIMEOUT: Duration = Duration::from_secs(30);

/// The slowest that blobs of images are carried at, bytes a second: a slower connection ends as one that hangs.
pub const SLOWEST_BYTES_PER_SECOND: u64 = 64 * 1024;

/// How many times its timeout one whole answer of a server may take, beside what [`SLOWEST_BYTES_PER_SECOND`] gives
/// it: one that sends a byte now and then would never end.
pub const ANSWER_TIMEOUTS: u32 = 4;

/// How long it may take to list the signatures of one artifact. The thousand manifests that may be opened take some
/// two minutes where each takes a second.
pub const LISTING: Duration = Duration::from_secs(300);

/// How long it may take to verify one artifact, its signatures and who is asked about revocation included.
pub const VERIFICATION: Duration = Duration::from_secs(900);

/// How long after the first try of a request another may begin. A server that asks to be waited for gets what it asks
/// for within this: a minute is what many ask for, and asking for hours is as good as refusing.
pub const RETRIES: Duration = Duration::from_secs(180);

/// Redirects of one request. Registries need one, to where they store blobs.
pub const REDIRECTS: u32 = 5;

/// Bytes that are told of the body of an error; notary's own client reads as many.
pub const ERROR_BODY_BYTES: usize = 1024;

/// Bytes that are read of it, so that a secret in it is seen whole before it is cut. Real tokens take some thousand.
pub const READ_ERROR_BODY_BYTES: usize = 16 * 1024;

/// Bytes of a token service's answer. A token has to fit a header, for which servers take 8 to 64 KiB.
pub const TOKEN_BYTES: usize = 64 * 1024;

/// Bytes of a repository's name; notary's database holds 255.
pub const REPOSITORY_NAME_BYTES: usize = 255;

/// Bytes of a host's name (RFC 1035, section 2.3.4).
pub const HOST_BYTES: usize = 255;

/// Bytes of a tag (OCI distribution specification, "Pulling manifests").
pub const TAG_BYTES: usize = 128;

/// Bytes of each of the two names of a media type (RFC 6838, section 4.2).
pub const MEDIA_TYPE_NAME_BYTES: usize = 127;

/// Bytes of one page of what refers to an artifact: those of an index at the referrers tag, which is a manifest.
pub const REFERRERS_PAGE_BYTES: usize = MANIFEST_BYTES;

/// Bytes of all pages, each entry of which may be held in memory, for each artifact that is verified at the same time.
/// Some ten thousand signatures fit in, and people
/// who do not tidy up have some hundred.
pub const REFERRERS_BYTES: usize = 2 * REFERRERS_PAGE_BYTES;

/// Pages of what refers to an artifact.
pub const REFERRERS_PAGES: usize = 1000;

/// Blobs of one manifest that are copied at the same time.
pub const BLOBS_AT_A_TIME: usize = 4;

/// Bytes of a plan for leaving Content Trust: some hundred thousand digests.
pub const PLAN_BYTES: usize = 128 * 1024 * 1024;

/// Bytes of the journal of signatures that were pushed by a plan: those of several runs.
pub const JOURNAL_BYTES: usize = 2 * PLAN_BYTES;

/// Tags of one repository: each of its artifacts may have one of its own for what refers to it.
pub const TAGS: usize = 200_000;

/// Pages of tags. Registries that bound a page to a hundred tags are common.
pub const TAG_PAGES: usize = 2_000;

/// Bytes of a page of tags. docker-registry gives all tags in one.
pub const TAG_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// Manifests that are read because a registry does not say what they are, one request each.
pub const OPENED_REFERRERS: usize = 1000;

/// How many of them are read at the same time: enough to hide how long a registry takes to answer, and too few
/// to be taken for an attack.
pub const OPENED_AT_A_TIME: usize = 8;

/// How long a repository without the referrers API is not asked for it again: it may get it while a server runs.
pub const NO_REFERRERS_API: Duration = Duration::from_secs(300);

/// How long it may take another writer of a referrers index from reading to writing, where it is not known better.
pub const INDEX_SETTLE: Duration = Duration::from_millis(25);

/// The longest that [`INDEX_SETTLE`] grows to, doubling each time that another writer was seen.
pub const INDEX_SETTLE_MAX: Duration = Duration::from_millis(400);

/// How often a referrers index that others write is looked at, before its writer gives up.
pub const INDEX_ROUNDS: u32 = 16;

/// Repositories in the lists of one server. Each is held in memory.
pub const SERVER_REPOSITORIES: usize = 1_000_000;

/// Changes in one page of a changefeed: the page size that notary servers choose themselves.
pub const CHANGEFEED_RECORDS: usize = 100;

/// Pages of a changefeed: ten million changes.
pub const CHANGEFEED_PAGES: usize = 100_000;

/// Bytes of a page of a changefeed. A change takes some 300.
pub const CHANGEFEED_PAGE_BYTES: usize = 1024 * 1024;

/// Repositories in one page of a registry's catalog; some registries refuse to give more than a thousand.
pub const CATALOG_RECORDS: usize = 1000;

/// Pages of a catalog.
pub const CATALOG_PAGES: usize = 10_000;

/// Bytes of a page of a catalog. Some registries give all names in one.
pub const CATALOG_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// Trusted identities of one statement. Each is held against each other for whether they overlap; real statements have
/// one to some dozens.
pub const TRUSTED_IDENTITIES: usize = 1_000;

/// Files in one trust store; real ones hold one to some hundred roots.
pub const TRUST_STORE_FILES: usize = 4096;

/// Bytes of one CRL. The largest that public CAs publish stay under 16 MiB, and notation stops here too.
pub const CRL_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of one OCSP response. One with its responder's certificate takes some 2 KiB.
pub const OCSP_RESPONSE_BYTES: usize = 64 * 1024;

/// Certificates of one OCSP response that are looked at; real ones have one or two.
pub const OCSP_CERTIFICATES: usize = 8;

/// URLs of one extension about revocation, each of which may be asked. Real ones name one or two.
pub const REVOCATION_URLS: usize = 32;

/// Bytes of the extensions of one CRL, or of one of its entries. Real ones take some hundred.
pub const CRL_EXTENSION_BYTES: usize = 16 * 1024;

/// How far the clock of a CA or a responder may be ahead of ours.
pub const REVOCATION_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Bytes of a timestamp token, and of an authority's answer, which holds one. The notation CLI stops reading
/// at 1 MiB; tokens with their certificates take some 8 KiB.
pub const TIMESTAMP_BYTES: usize = 1024 * 1024;

/// Depth of nested elements of a timestamp token. Real ones have under 20, and 8 more where an unsigned
/// attribute holds another token.
pub const ASN1_DEPTH: usize = 32;

/// Certificates in one timestamp token; real ones have one to five. A chain is looked for among them, and each
/// may cost a signature for each.
pub const TIMESTAMP_CERTIFICATES: usize = 32;

/// Elements of each of the other sets in a timestamp token. Real signers have five or six attributes.
pub const TIMESTAMP_ATTRIBUTES: usize = 64;

/// Bytes of an answer that is kept as evidence though it is no CRL, so that what came can be looked at.
pub const UNREADABLE_BYTES: usize = 64 * 1024;

/// How long one OCSP response may take (trust-store-trust-policy.md, "OCSP Download").
pub const OCSP_TIMEOUT: Duration = Duration::from_secs(2);

/// How long one CRL may take (trust-store-trust-policy.md, "CRL Download").
pub const CRL_TIMEOUT: Duration = Duration::from_secs(5);

/// How many times the time for one CRL all asking about the revocation of one artifact may take: whoever signs chooses
/// whom to ask, dozens of servers that never answer. A responder, a CRL and its delta CRL for the certificates of a
/// signer and of a timestamp authority fit in, each with its whole time. Each signature has the time for one OCSP
/// response and one CRL beside: a hundred of them end within [`VERIFICATION`], and one that is slow hides no other.
pub const REVOCATION_TIMEOUTS: u32 = 12;

/// Answers that are asked for about one certificate, each by what the one before has left open.
pub const REVOCATION_ROUNDS: usize = 32;

/// Bytes of a CRL's file in the cache: a CRL and its delta CRL, in base64.
pub const CRL_FILE_BYTES: usize = 3 * CRL_BYTES;

/// Bytes of all CRLs, and of all OCSP responses, that are kept on disk. The oldest make room.
pub const CACHE_BYTES: u64 = 512 * 1024 * 1024;

/// Bytes of answers that one process keeps in memory.
pub const CACHE_MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a file of evidence: some CRLs in base64.
pub const EVIDENCE_FILE_BYTES: usize = 256 * 1024 * 1024;

/// How long a timestamp authority has to answer, all tries included, unless a caller says otherwise: half of
/// what a plugin command may take.
pub const TIMESTAMP_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer to a question: room for `yes`, and for whoever types more.
pub const ANSWER_BYTES: u64 = 1024;

/// Bytes of a file that is searched for uses of Docker Content Trust: what people write and review is far below.
/// A larger one that is text is named as passed over, and fails the audit if words of uses stand in it.
pub const AUDIT_FILE_BYTES: usize = 8 * 1024 * 1024;

/// Findings that are told of one file, the gravest of them. A file with more is generated, or made to be read for
/// long.
pub const AUDIT_FILE_FINDINGS: usize = 1000;

/// Findings of one audit of each severity, and files named as passed over: they are held in memory to be put in
/// order.
pub const AUDIT_FINDINGS: usize = 100_000;

/// Characters of a line that are shown; some files have all on one.
pub const AUDIT_EXCERPT_CHARS: usize = 160;

/// Bytes of a line on each side of what was found that are looked at to judge it: a file may be one line.
pub const AUDIT_LINE_BYTES: usize = 1024;

/// Bytes on each side of a variable's name in which the line with its value is looked for: descriptions and other keys
/// stand between the two.
pub const AUDIT_PAIR_BYTES: usize = 4 * 1024;

/// Lines above a setting among which its parents are looked for, so that no file costs quadratic time.
pub const AUDIT_PARENT_LINES: usize = 400;
/// How long a credential helper may take: a person may have to unlock what it reads.
pub const HELPER_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes that a credential helper may print. Its secrets are tokens at most, which have to fit a header.
pub const HELPER_BYTES: usize = 64 * 1024;

/// Bytes of a password or a token that is typed or piped in. Clouds' are of some thousand bytes.
pub const PASSWORD_BYTES: usize = 16 * 1024;
