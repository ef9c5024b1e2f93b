package main

import (
	"errors"
	"os"
	"strings"

	"github.com/notaryproject/notation-go/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// repository opens an image layout or a registry, and gives the reference within it. A registry's certificate is
// one that the system trusts, or one of $SSL_CERT_FILE.
func (o options) repository(ref string) (registry.Repository, string, error) {
	if o.layout {
		return openLayout(ref)
	}
	r, err := remote.NewRepository(ref)
	if err != nil {
		return nil, "", err
	}
	r.PlainHTTP = o.insecure
	// Without a user nobody in particular asks.
	credential := auth.Credential{Username: os.Getenv("NOTATION_USERNAME"), Password: os.Getenv("NOTATION_PASSWORD")}
	r.Client = &auth.Client{Credential: auth.StaticCredential(r.Reference.Registry, credential), Cache: auth.NewCache()}
	return registry.NewRepository(r), ref, nil
}

func openLayout(ref string) (registry.Repository, string, error) {
	path, reference, digested := strings.Cut(ref, "@")
	if !digested {
		colon := strings.LastIndex(ref, ":")
		if colon < 0 {
			return nil, "", errors.New("a layout reference is LAYOUT@DIGEST or LAYOUT:TAG")
		}
		path, reference = ref[:colon], ref[colon+1:]
	}
	r, err := registry.NewOCIRepository(path, registry.RepositoryOptions{})
	return r, reference, err
}
