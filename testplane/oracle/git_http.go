// This file owns Git over HTTP: `git http-backend` behind a server that asks for
// credentials, logs each request, and tells a receiver about each push.

package main

import (
	"bytes"
	"compress/gzip"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// The largest request body taken: a push of this many bytes.
const bodyLimit = 1 << 30

// gitServer serves the bare repositories below root.
type gitServer struct {
	root, backend         string
	user, password, token string
	log                   *json.Encoder
	logging               sync.Mutex
	// One push at a time, so that the references before and after it tell what it did.
	pushing sync.Mutex
	notify  *receiver
}

func gitHTTP(flags *flag.FlagSet, arguments []string) error {
	server := &gitServer{}
	flags.StringVar(&server.root, "root", "", "the folder that holds the bare repositories")
	flags.StringVar(&server.user, "user", "", "with --password: ask for this user")
	flags.StringVar(&server.password, "password", "", "that user's password")
	flags.StringVar(&server.token, "token", "", "ask for this bearer token (also taken as any user's password)")
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	tls := flags.String("tls", "", "serve HTTPS, with an authority that is made in this folder if it holds none")
	log := flags.String("log", "", "append a line of JSON for each request to this file")
	notify := flags.String("notify", "", "after a push, post GitHub's push event to this URL")
	secret := flags.String("hmac-secret", "", "sign that event")
	_ = flags.Parse(arguments)

	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return fmt.Errorf("asking git for its programs: %w", err)
	}
	server.backend = filepath.Join(strings.TrimSpace(string(path)), "git-http-backend")
	if *log != "" {
		file, err := os.OpenFile(*log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		server.log = json.NewEncoder(file)
	}

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	base := "http://" + listener.Addr().String()
	if *tls != "" {
		base = "https://" + listener.Addr().String()
		if err := serverPair(*tls); err != nil {
			return err
		}
	}
	if *notify != "" {
		server.notify = &receiver{url: *notify, secret: *secret, base: base}
	}
	onParentEnd(func() { os.Exit(0) })
	fmt.Println(base)
	if *tls != "" {
		return http.ServeTLS(listener, server, filepath.Join(*tls, "server.crt"), filepath.Join(*tls, "server.key"))
	}
	return http.Serve(listener, server)
}

// gitRequest is a line of the log.
type gitRequest struct {
	Method     string `json:"method"`
	Path       string `json:"path"`
	Repository string `json:"repository"`
	// upload-pack (reading) or receive-pack (writing).
	Service string `json:"service"`
	// What the request is there for: refs, ls-refs, fetch or push.
	Command  string `json:"command"`
	Protocol string `json:"protocol"`
	User     string `json:"user"`
	Status   int    `json:"status"`
}

func (s *gitServer) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	entry := gitRequest{Method: in.Method, Path: in.URL.Path, Protocol: in.Header.Get("Git-Protocol")}
	recorder := &statusRecorder{ResponseWriter: out, status: http.StatusOK}
	defer func() {
		entry.Status = recorder.status
		s.record(entry)
	}()

	var allowed bool
	if entry.User, allowed = s.authenticate(in); !allowed {
		recorder.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(recorder, "these credentials do not open the repository", http.StatusUnauthorized)
		return
	}
	body, err := spool(in)
	if err != nil {
		http.Error(recorder, err.Error(), http.StatusBadRequest)
		return
	}
	defer body.Close()
	entry.Repository, entry.Service, entry.Command = describe(in, body)

	if entry.Command != "push" {
		s.run(recorder, in, entry.User)
		return
	}
	s.pushing.Lock()
	defer s.pushing.Unlock()
	before := s.references(entry.Repository)
	s.run(recorder, in, entry.User)
	if s.notify != nil {
		s.notify.pushed(entry.Repository, entry.User, before, s.references(entry.Repository))
	}
}

// authenticate returns who asks, and whether the server wants them.
func (s *gitServer) authenticate(in *http.Request) (string, bool) {
	if s.token == "" && s.password == "" {
		return "anonymous", true
	}
	same := func(given, wanted string) bool {
		return wanted != "" && subtle.ConstantTimeCompare([]byte(given), []byte(wanted)) == 1
	}
	if bearer, found := strings.CutPrefix(in.Header.Get("Authorization"), "Bearer "); found {
		return "token", same(bearer, s.token)
	}
	user, password, _ := in.BasicAuth()
	return user, same(password, s.token) || (user == s.user && same(password, s.password))
}

// spool puts a request's body into a file, because CGI must be told its length and a large
// push comes without one.
func spool(in *http.Request) (*os.File, error) {
	file, err := os.CreateTemp("", "git-http-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name())
	length, err := io.Copy(file, io.LimitReader(in.Body, bodyLimit+1))
	if err == nil && length > bodyLimit {
		err = fmt.Errorf("the body exceeds %d bytes", bodyLimit)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	in.Body, in.ContentLength, in.TransferEncoding = io.NopCloser(file), length, nil
	return file, nil
}

// describe tells which repository a request is about, which service, and what for.
func describe(in *http.Request, body io.ReaderAt) (repository, service, command string) {
	path := strings.TrimPrefix(in.URL.Path, "/")
	if found, ok := strings.CutSuffix(path, "/info/refs"); ok {
		return found, strings.TrimPrefix(in.URL.Query().Get("service"), "git-"), "refs"
	}
	if found, ok := strings.CutSuffix(path, "/git-receive-pack"); ok {
		return found, "receive-pack", "push"
	}
	if found, ok := strings.CutSuffix(path, "/git-upload-pack"); ok {
		var head io.Reader = io.NewSectionReader(body, 0, 4096)
		if in.Header.Get("Content-Encoding") == "gzip" {
			if head, _ = gzip.NewReader(head); head == nil {
				return found, "upload-pack", "fetch"
			}
		}
		// Protocol 2 names its command in the first line; before, there was only one.
		start := make([]byte, 64)
		count, _ := io.ReadFull(head, start)
		if bytes.Contains(start[:count], []byte("command=ls-refs")) {
			return found, "upload-pack", "ls-refs"
		}
		return found, "upload-pack", "fetch"
	}
	return path, "", ""
}

func (s *gitServer) run(out http.ResponseWriter, in *http.Request, user string) {
	handler := cgi.Handler{
		Path: s.backend,
		Dir:  s.root,
		Env: append(hermetic(),
			"GIT_PROJECT_ROOT="+s.root,
			"GIT_HTTP_EXPORT_ALL=1",
			"GIT_PROTOCOL="+in.Header.Get("Git-Protocol"),
			"REMOTE_USER="+user, // pushes are for known users
			// As on the large hosts: partial clones, and any commit may be asked for.
			"GIT_CONFIG_COUNT=2",
			"GIT_CONFIG_KEY_0=uploadpack.allowFilter", "GIT_CONFIG_VALUE_0=true",
			"GIT_CONFIG_KEY_1=uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_1=true",
		),
		Stderr: os.Stderr,
	}
	handler.ServeHTTP(out, in)
}

// hermetic keeps the machine's own configuration of Git out.
func hermetic() []string {
	return []string{"HOME=/nonexistent", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}
}

// references maps each reference of a repository to the object it names.
func (s *gitServer) references(repository string) map[string]string {
	command := exec.Command("git", "for-each-ref", "--format=%(refname) %(objectname)")
	command.Dir = filepath.Join(s.root, filepath.Clean("/"+repository))
	command.Env = append(os.Environ(), hermetic()...)
	listed, _ := command.Output() // what does not exist has no references
	references := map[string]string{}
	for line := range strings.Lines(string(listed)) {
		if name, object, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			references[name] = object
		}
	}
	return references
}

func (s *gitServer) record(entry gitRequest) {
	if s.log == nil {
		return
	}
	s.logging.Lock()
	defer s.logging.Unlock()
	_ = s.log.Encode(entry)
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// serverPair makes sure that a folder holds an authority and a server's certificate. They
// stay when the server starts again, so that clients keep trusting it.
func serverPair(directory string) error {
	if _, err := os.Stat(filepath.Join(directory, "server.crt")); err == nil {
		return nil
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	authority, err := newAuthority(directory, "ca")
	if err != nil {
		return err
	}
	return authority.server(directory)
}
