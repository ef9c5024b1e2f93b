package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/notaryproject/notation-core-go/revocation"
	corecrl "github.com/notaryproject/notation-core-go/revocation/crl"
	"github.com/notaryproject/notation-core-go/revocation/purpose"
	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/dir"
	"github.com/notaryproject/notation-go/verifier"
	"github.com/notaryproject/notation-go/verifier/crl"
	"github.com/notaryproject/notation-go/verifier/trustpolicy"
	"github.com/notaryproject/notation-go/verifier/truststore"
)

func verify(ctx context.Context, o options, ref string) error {
	policy, err := trustpolicy.LoadOCIDocument()
	if err != nil {
		return err
	}
	v, err := newVerifier(verifier.VerifierOptions{OCITrustPolicy: policy})
	if err != nil {
		return err
	}
	repo, reference, err := o.repository(ref)
	if err != nil {
		return err
	}
	if o.layout {
		descriptor, err := repo.Resolve(ctx, reference)
		if err != nil {
			return err
		}
		reference = o.scope + "@" + descriptor.Digest.String()
	}
	_, outcomes, err := notation.Verify(ctx, v, repo, notation.VerifyOptions{
		ArtifactReference:    reference,
		PluginConfig:         o.pluginConfig,
		MaxSignatureAttempts: o.maxSignatures,
		UserMetadata:         o.metadata,
	})
	report(outcomes...)
	return err
}

// verifyBlob compares the media type only where it was asked for, as the CLI does.
func verifyBlob(ctx context.Context, o options, path string, mediaTypeGiven bool) error {
	policy, err := trustpolicy.LoadBlobDocument()
	if err != nil {
		return err
	}
	v, err := newVerifier(verifier.VerifierOptions{BlobTrustPolicy: policy})
	if err != nil {
		return err
	}
	mediaType, err := signatureMediaType(o.signature)
	if err != nil {
		return err
	}
	envelope, err := os.ReadFile(o.signature)
	if err != nil {
		return err
	}
	blob, err := os.Open(path)
	if err != nil {
		return err
	}
	defer blob.Close()
	opts := notation.VerifyBlobOptions{BlobVerifierVerifyOptions: notation.BlobVerifierVerifyOptions{
		SignatureMediaType: mediaType,
		PluginConfig:       o.pluginConfig,
		UserMetadata:       o.metadata,
		TrustPolicyName:    o.policyName,
	}}
	if mediaTypeGiven {
		opts.ContentMediaType = o.mediaType
	}
	_, outcome, err := notation.VerifyBlob(ctx, v, blob, envelope, opts)
	report(outcome)
	return err
}

// signatureMediaType reads the format out of a name of the form {file}.{format}.sig.
func signatureMediaType(name string) (string, error) {
	for format, mediaType := range mediaTypes {
		if strings.HasSuffix(name, "."+format+".sig") {
			return mediaType, nil
		}
	}
	return "", fmt.Errorf("the signature file's name %q does not end in .jws.sig or .cose.sig", name)
}

// anyVerifier verifies artifacts and blobs.
type anyVerifier interface {
	notation.Verifier
	notation.BlobVerifier
}

func newVerifier(opts verifier.VerifierOptions) (anyVerifier, error) {
	var err error
	if opts.RevocationCodeSigningValidator, err = validator(purpose.CodeSigning); err != nil {
		return nil, err
	}
	if opts.RevocationTimestampingValidator, err = validator(purpose.Timestamping); err != nil {
		return nil, err
	}
	opts.PluginManager = plugins()
	return verifier.NewVerifierWithOptions(truststore.NewX509TrustStore(dir.ConfigFS()), opts)
}

// validator checks revocation with the CLI's time limits and the CLI's CRL cache.
func validator(p purpose.Purpose) (revocation.Validator, error) {
	fetcher, err := corecrl.NewHTTPFetcher(&http.Client{Timeout: 5 * time.Second})
	if err != nil {
		return nil, err
	}
	root, err := dir.CacheFS().SysPath(dir.PathCRLCache)
	if err != nil {
		return nil, err
	}
	if fetcher.Cache, err = crl.NewFileCache(root); err != nil {
		return nil, err
	}
	fetcher.DiscardCacheError = true
	return revocation.NewWithOptions(revocation.Options{
		OCSPHTTPClient:   &http.Client{Timeout: 2 * time.Second},
		CRLFetcher:       fetcher,
		CertChainPurpose: p,
	})
}

// report prints each failed check of each signature tried, with what the policy made of it.
func report(outcomes ...*notation.VerificationOutcome) {
	for _, outcome := range outcomes {
		if outcome == nil {
			continue
		}
		for _, result := range outcome.VerificationResults {
			if result.Error != nil {
				fmt.Fprintf(os.Stderr, "%s (%s): %v\n", result.Type, result.Action, result.Error)
			}
		}
	}
}
