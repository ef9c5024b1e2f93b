// Notation-peer is what the tests hold notation-sdk against where the notation CLI is not installed. It is a
// thin program on notation-go, the library that the CLI is made of, and takes the CLI's words and flags:
//
//	notation-peer sign   [--oci-layout | --insecure-registry] (--plugin NAME --id ID | --key NAME) REFERENCE
//	notation-peer verify [--oci-layout --scope SCOPE | --insecure-registry] REFERENCE
//	notation-peer blob sign   (--plugin NAME --id ID | --key NAME) FILE
//	notation-peer blob verify --signature FILE [--policy-name NAME] FILE
//	notation-peer plugin install [--file] FILE
//
// The configuration folder, plugins, trust stores, trust policies and the CRL cache are the CLI's, below
// $XDG_CONFIG_HOME and $XDG_CACHE_HOME; a registry is told $NOTATION_USERNAME and $NOTATION_PASSWORD. The exit code
// is 0 for signed or verified and 1 for anything else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/notaryproject/notation-go/dir"
	"github.com/notaryproject/notation-go/plugin"
	"github.com/spf13/pflag"
)

// mediaTypes maps the names of --signature-format to envelope media types.
var mediaTypes = map[string]string{"jws": "application/jose+json", "cose": "application/cose"}

// options holds every flag of every command; a command reads those it knows.
type options struct {
	layout        bool
	insecure      bool
	scope         string
	format        string
	plugin        string
	id            string
	key           string
	pluginConfig  map[string]string
	metadata      map[string]string
	expiry        time.Duration
	tsaURL        string
	tsaRoot       string
	signature     string
	signatureDir  string
	policyName    string
	mediaType     string
	maxSignatures int
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, flags := options{}, pflag.NewFlagSet("notation-peer", pflag.ContinueOnError)
	pluginConfig, metadata := o.define(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if o.pluginConfig, err = pairs(*pluginConfig); err != nil {
		return err
	}
	if o.metadata, err = pairs(*metadata); err != nil {
		return err
	}
	if mediaTypes[o.format] == "" {
		return fmt.Errorf("signature format %q is neither jws nor cose", o.format)
	}

	words := flags.Args()
	if len(words) < 2 {
		return errors.New("want a command and what it is for")
	}
	command, target := strings.Join(words[:len(words)-1], " "), words[len(words)-1]
	switch command {
	case "sign":
		return sign(ctx, o, target)
	case "verify":
		return verify(ctx, o, target)
	case "blob sign":
		return signBlob(ctx, o, target)
	case "blob verify":
		return verifyBlob(ctx, o, target, flags.Changed("media-type"))
	case "plugin install":
		_, _, err := plugins().Install(ctx, plugin.CLIInstallOptions{PluginPath: target, Overwrite: true})
		return err
	}
	return fmt.Errorf("unknown command %q", command)
}

// define declares the flags, and gives the two that hold K=V pairs.
func (o *options) define(f *pflag.FlagSet) (pluginConfig, metadata *[]string) {
	f.BoolVar(&o.layout, "oci-layout", false, "REFERENCE is LAYOUT@DIGEST or LAYOUT:TAG")
	f.BoolVar(&o.insecure, "insecure-registry", false, "speak to the registry over plain HTTP")
	f.StringVar(&o.scope, "scope", "", "registry scope that a layout is verified under")
	f.StringVar(&o.format, "signature-format", "jws", "jws or cose")
	f.StringVar(&o.plugin, "plugin", "", "plugin that signs")
	f.StringVar(&o.id, "id", "", "key id for the plugin")
	f.StringVarP(&o.key, "key", "k", "", "key name in signingkeys.json")
	f.DurationVarP(&o.expiry, "expiry", "e", 0, "how long the signature is good")
	f.StringVar(&o.tsaURL, "timestamp-url", "", "RFC 3161 server")
	f.StringVar(&o.tsaRoot, "timestamp-root-cert", "", "its root certificate")
	f.StringVar(&o.signature, "signature", "", "detached signature file")
	f.StringVar(&o.signatureDir, "signature-directory", ".", "where a blob's signature goes")
	f.StringVar(&o.policyName, "policy-name", "", "blob trust policy")
	f.StringVar(&o.mediaType, "media-type", "application/octet-stream", "media type of the blob")
	f.IntVar(&o.maxSignatures, "max-signatures", 100, "signatures tried at most")

	// What the CLI must be told and this program always does: a file as plugin, replacing one.
	f.Bool("file", true, "no effect: a plugin is installed from a file")
	f.Bool("force", true, "no effect: a plugin that is there is replaced")
	return f.StringArray("plugin-config", nil, "K=V for the plugin"), f.StringArrayP("user-metadata", "m", nil, "K=V to sign, or to find signed")
}

func pairs(words []string) (map[string]string, error) {
	m := map[string]string{}
	for _, word := range words {
		key, value, found := strings.Cut(word, "=")
		if !found || key == "" || value == "" {
			return nil, fmt.Errorf("%q is not of the form K=V", word)
		}
		m[key] = value
	}
	return m, nil
}

func plugins() *plugin.CLIManager {
	return plugin.NewCLIManager(dir.PluginFS())
}
