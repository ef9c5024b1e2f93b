package main

import (
	"context"
	stdx509 "crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/notaryproject/notation-core-go/revocation/purpose"
	_ "github.com/notaryproject/notation-core-go/signature/cose"
	_ "github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/notaryproject/notation-core-go/x509"
	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/config"
	"github.com/notaryproject/notation-go/signer"
	"github.com/notaryproject/tspclient-go"
)

func sign(ctx context.Context, o options, ref string) error {
	s, err := o.signer(ctx)
	if err != nil {
		return err
	}
	repo, reference, err := o.repository(ref)
	if err != nil {
		return err
	}
	opts, err := o.signOptions()
	if err != nil {
		return err
	}
	artifact, manifest, err := notation.SignOCI(ctx, s, repo, notation.SignOptions{
		SignerSignOptions: opts, ArtifactReference: reference, UserMetadata: o.metadata})
	if err != nil {
		return err
	}
	fmt.Printf("signed %s with signature manifest %s\n", artifact.Digest, manifest.Digest)
	return nil
}

// signBlob writes the signature as the CLI names it: {file}.{format}.sig.
func signBlob(ctx context.Context, o options, path string) error {
	s, err := o.signer(ctx)
	if err != nil {
		return err
	}
	opts, err := o.signOptions()
	if err != nil {
		return err
	}
	blob, err := os.Open(path)
	if err != nil {
		return err
	}
	defer blob.Close()
	envelope, _, err := notation.SignBlob(ctx, s, blob, notation.SignBlobOptions{
		SignerSignOptions: opts, ContentMediaType: o.mediaType, UserMetadata: o.metadata})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.signatureDir, filepath.Base(path)+"."+o.format+".sig"), envelope, 0o644)
}

// anySigner signs artifacts and blobs; every signer of notation-go does.
type anySigner interface {
	notation.Signer
	notation.BlobSigner
}

// signer gives the signer of --key, or of --plugin and --id.
func (o options) signer(ctx context.Context) (anySigner, error) {
	if o.key == "" {
		return pluginSigner(ctx, o.plugin, o.id, nil)
	}
	keys, err := config.LoadSigningKeys()
	if err != nil {
		return nil, err
	}
	key, err := keys.Get(o.key)
	if err != nil {
		return nil, err
	}
	if files := key.X509KeyPair; files != nil {
		return signer.NewGenericSignerFromFiles(files.KeyPath, files.CertificatePath)
	}
	return pluginSigner(ctx, key.PluginName, key.ID, key.PluginConfig)
}

func pluginSigner(ctx context.Context, name, id string, config map[string]string) (anySigner, error) {
	p, err := plugins().Get(ctx, name)
	if err != nil {
		return nil, err
	}
	return signer.NewPluginSigner(p, id, config)
}

func (o options) signOptions() (notation.SignerSignOptions, error) {
	opts := notation.SignerSignOptions{
		SignatureMediaType: mediaTypes[o.format],
		ExpiryDuration:     o.expiry,
		PluginConfig:       o.pluginConfig,
		SigningAgent:       "notation-peer",
	}
	if o.tsaURL == "" {
		return opts, nil
	}
	roots, err := x509.ReadCertificateFile(o.tsaRoot)
	if err != nil {
		return opts, err
	}
	opts.TSARootCAs = stdx509.NewCertPool()
	for _, root := range roots {
		opts.TSARootCAs.AddCert(root)
	}
	if opts.Timestamper, err = tspclient.NewHTTPTimestamper(&http.Client{Timeout: 15 * time.Second}, o.tsaURL); err != nil {
		return opts, err
	}
	opts.TSARevocationValidator, err = validator(purpose.Timestamping)
	return opts, err
}
