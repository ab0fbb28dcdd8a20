// This file owns certificates: a private authority in a folder, the certificates that a
// Kubernetes API server or a Git server on loopback needs, and those of its users.

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const validity = 365 * 24 * time.Hour

// pki fills a folder: ca, server and sa (the key that signs ServiceAccounts' tokens), and
// front-proxy-ca with front-proxy (who speaks for an aggregated API's users).
func pki(flags *flag.FlagSet, arguments []string) error {
	directory := flags.String("dir", "", "where to write")
	_ = flags.Parse(arguments)

	authority, err := newAuthority(*directory, "ca")
	if err != nil {
		return err
	}
	if err := authority.server(*directory); err != nil {
		return err
	}
	proxies, err := newAuthority(*directory, "front-proxy-ca")
	if err != nil {
		return err
	}
	proxy, err := proxies.issue(client("front-proxy", nil))
	if err != nil {
		return err
	}
	if err := proxy.write(*directory, "front-proxy"); err != nil {
		return err
	}

	tokens, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(tokens.Public())
	if err != nil {
		return err
	}
	private, err := keyPEM(tokens)
	if err != nil {
		return err
	}
	if err := writePrivate(*directory, "sa.pub", pemOf("PUBLIC KEY", public)); err != nil {
		return err
	}
	return writePrivate(*directory, "sa.key", private)
}

// pkiClient prints a user's certificate and key, and the authority's certificate, as the
// base64 that a kubeconfig holds.
func pkiClient(flags *flag.FlagSet, arguments []string) error {
	directory := flags.String("dir", "", "where the authority lies")
	user := flags.String("user", "", "the user's name")
	groups := flags.String("groups", "", "the user's groups, separated by commas")
	_ = flags.Parse(arguments)

	authority, err := readAuthority(*directory, "ca")
	if err != nil {
		return err
	}
	issued, err := authority.issue(client(*user, strings.FieldsFunc(*groups, func(r rune) bool { return r == ',' })))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string][]byte{
		"authority": authority.certificate, "certificate": issued.certificate, "key": issued.key,
	})
}

// pair is a certificate and its key, both as PEM.
type pair struct{ certificate, key []byte }

type authority struct {
	pair
	parsed *x509.Certificate
	signer *ecdsa.PrivateKey
}

func newAuthority(directory, name string) (*authority, error) {
	signer, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	issued, err := sign(template, template, signer, signer)
	if err != nil {
		return nil, err
	}
	if err := issued.write(directory, name); err != nil {
		return nil, err
	}
	return readAuthority(directory, name)
}

func readAuthority(directory, name string) (*authority, error) {
	var read authority
	var err error
	if read.certificate, err = os.ReadFile(filepath.Join(directory, name+".crt")); err != nil {
		return nil, err
	}
	if read.key, err = os.ReadFile(filepath.Join(directory, name+".key")); err != nil {
		return nil, err
	}
	certificate, _ := pem.Decode(read.certificate)
	key, _ := pem.Decode(read.key)
	if certificate == nil || key == nil {
		return nil, fmt.Errorf("%s.crt or %s.key in %s is not PEM", name, name, directory)
	}
	if read.parsed, err = x509.ParseCertificate(certificate.Bytes); err != nil {
		return nil, err
	}
	read.signer, err = x509.ParseECPrivateKey(key.Bytes)
	return &read, err
}

// server issues and writes what a server on loopback shows its clients.
func (a *authority) server(directory string) error {
	issued, err := a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "server"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)},
	})
	if err != nil {
		return err
	}
	return issued.write(directory, "server")
}

func client(user string, groups []string) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func (a *authority) issue(template *x509.Certificate) (pair, error) {
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	return sign(template, a.parsed, key, a.signer)
}

func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (pair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return pair{}, err
	}
	template.SerialNumber = serial
	// An hour back, for clocks that do not agree.
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(validity)
	certificate, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return pair{}, err
	}
	private, err := keyPEM(key)
	return pair{pemOf("CERTIFICATE", certificate), private}, err
}

func (p pair) write(directory, name string) error {
	if err := writePrivate(directory, name+".crt", p.certificate); err != nil {
		return err
	}
	return writePrivate(directory, name+".key", p.key)
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	encoded, err := x509.MarshalECPrivateKey(key)
	return pemOf("EC PRIVATE KEY", encoded), err
}

func pemOf(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}

func writePrivate(directory, name string, content []byte) error {
	return os.WriteFile(filepath.Join(directory, name), content, 0o600)
}
