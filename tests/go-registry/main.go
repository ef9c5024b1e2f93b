// Go-registry is a registry with the referrers API: go-containerregistry's, which keeps everything in memory. It
// listens on this machine, at the port that it is given.
package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("want the port to listen at")
	}
	address := net.JoinHostPort("127.0.0.1", os.Args[1])
	quiet := registry.Logger(log.New(io.Discard, "", 0))
	log.Fatal(http.ListenAndServe(address, registry.New(registry.WithReferrersSupport(true), quiet)))
}
