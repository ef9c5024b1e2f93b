package main

import (
	"errors"
	"strings"

	"github.com/notaryproject/notation-go/registry"
	"oras.land/oras-go/v2/registry/remote"
)

// repository opens an image layout, or a registry over plain HTTP, and gives the reference within it.
func (o options) repository(ref string) (registry.Repository, string, error) {
	if o.layout {
		return openLayout(ref)
	}
	r, err := remote.NewRepository(ref)
	if err != nil {
		return nil, "", err
	}
	r.PlainHTTP = true
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
