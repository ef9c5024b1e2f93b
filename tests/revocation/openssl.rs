//! CRLs and OCSP responses that openssl makes, as a CA that somebody runs would.
