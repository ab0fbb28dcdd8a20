// This file owns the registry's token service: it gives signed tokens for what is asked,
// and the registry itself checks them.

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	service = "the tests' registry"
	issuer  = "the tests' token service"
	keyID   = "one"
	// How long a token is good for.
	lifetime = 5 * time.Minute
)

type tokens struct {
	realm, keys string
	signer      jose.Signer
}

func newTokens(root, base string) (*tokens, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: keyID, Algorithm: "ES256", Use: "sig"}}}
	text, err := json.Marshal(public)
	if err != nil {
		return nil, err
	}
	keys := filepath.Join(root, "keys.json")
	if err := os.WriteFile(keys, text, 0o600); err != nil {
		return nil, err
	}
	private := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}
	signer, err := jose.NewSigner(private, (&jose.SignerOptions{}).WithType("JWT"))
	return &tokens{realm: base + "/token", keys: keys, signer: signer}, err
}

// options is how the registry is told to ask for these tokens.
func (t *tokens) options() map[string]any {
	return map[string]any{"realm": t.realm, "service": service, "issuer": issuer, "jwks": t.keys}
}

// give answers who has shown who they are.
func (t *tokens) give(out http.ResponseWriter, in *http.Request) {
	var access []*token.ResourceActions
	for _, scopes := range in.URL.Query()["scope"] {
		for _, scope := range strings.Fields(scopes) {
			// The name may have a colon of its own, in a port.
			kind, rest, _ := strings.Cut(scope, ":")
			at := strings.LastIndex(rest, ":")
			if at < 0 {
				continue
			}
			access = append(access, &token.ResourceActions{Type: kind, Name: rest[:at], Actions: strings.Split(rest[at+1:], ",")})
		}
	}
	now := time.Now()
	claims := token.ClaimSet{
		Issuer: issuer, Subject: "somebody", Audience: []string{in.URL.Query().Get("service")}, JWTID: rand.Text(),
		Expiration: now.Add(lifetime).Unix(), NotBefore: now.Add(-time.Minute).Unix(), IssuedAt: now.Unix(), Access: access,
	}
	signed, err := jwt.Signed(t.signer).Claims(claims).Serialize()
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(out).Encode(map[string]any{"token": signed, "expires_in": int(lifetime.Seconds())})
}
