// This program owns where the tests get charts from: a real OCI registry and a folder
// served as a chart repository, on one port, with the credentials that are asked for.

package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/sirupsen/logrus"
)

// server answers `/v2/` as a registry, `/token` as its token service, and `/charts/` with
// the files of a folder.
type server struct {
	root, user, password string
	tokens               *tokens
	registry, files      http.Handler
	logging              sync.Mutex
	log                  *json.Encoder
}

func main() {
	run := serve
	if len(os.Args) > 1 && os.Args[1] == "push" {
		run = func() error { return push(os.Args[2:]) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func serve() error {
	s := &server{}
	flag.StringVar(&s.root, "root", "", "the folder that holds the registry's blobs, and the chart repository in `charts`")
	flag.StringVar(&s.user, "user", "", "with --password: ask for this user")
	flag.StringVar(&s.password, "password", "", "that user's password")
	byToken := flag.Bool("token", false, "have the registry ask for tokens, which `/token` gives for user and password")
	listen := flag.String("listen", "127.0.0.1:0", "where to listen")
	log := flag.String("log", "", "append a line of JSON for each request to this file")
	flag.Parse()

	file, err := os.OpenFile(*log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	s.log = json.NewEncoder(file)
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	logrus.SetOutput(os.Stderr)
	logrus.SetLevel(logrus.WarnLevel)
	config := &configuration.Configuration{}
	config.Storage = configuration.Storage{
		"filesystem": {"rootdirectory": filepath.Join(s.root, "registry")},
		"delete":     {"enabled": true},
	}
	config.Catalog.MaxEntries = 1000
	config.HTTP.Secret = "the same after a restart"
	if *byToken {
		if s.tokens, err = newTokens(s.root, base); err != nil {
			return err
		}
		config.Auth = configuration.Auth{"token": s.tokens.options()}
	}
	s.registry = handlers.NewApp(context.Background(), config)
	s.files = http.StripPrefix("/charts/", http.FileServer(http.Dir(filepath.Join(s.root, "charts"))))
	go func() {
		// The parent holds the other end and never writes: it ends when the parent does.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(base)
	return http.Serve(listener, s)
}

// request is a line of the log.
type request struct {
	Method string `json:"method"`
	// With the query.
	Path string `json:"path"`
	// What kind of credentials came: basic, bearer or nothing.
	Credentials string `json:"credentials"`
	Status      int    `json:"status"`
}

func (s *server) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	kind, _, _ := strings.Cut(in.Header.Get("Authorization"), " ")
	entry := request{Method: in.Method, Path: in.URL.RequestURI(), Credentials: strings.ToLower(kind)}
	recorder := &statusRecorder{ResponseWriter: out, status: http.StatusOK}
	s.answer(recorder, in)
	entry.Status = recorder.status
	s.logging.Lock()
	defer s.logging.Unlock()
	_ = s.log.Encode(entry)
}

func (s *server) answer(out http.ResponseWriter, in *http.Request) {
	byToken := s.tokens != nil && strings.HasPrefix(in.URL.Path, "/v2/")
	if !byToken && !s.known(in) {
		out.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
		http.Error(out, "these credentials open nothing", http.StatusUnauthorized)
		return
	}
	switch {
	case strings.HasPrefix(in.URL.Path, "/v2/"):
		s.registry.ServeHTTP(out, in)
	case s.tokens != nil && in.URL.Path == "/token":
		s.tokens.give(out, in)
	default:
		s.files.ServeHTTP(out, in)
	}
}

// known tells whether somebody has the user and password that are asked for, if any are.
func (s *server) known(in *http.Request) bool {
	if s.password == "" {
		return true
	}
	user, password, _ := in.BasicAuth()
	same := func(given, wanted string) bool { return subtle.ConstantTimeCompare([]byte(given), []byte(wanted)) == 1 }
	return same(user, s.user) && same(password, s.password)
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
