// This file owns a proxy in front of an API server that does what the server itself does not do on demand: it refuses, breaks
// off, is slow, answers badly, and lets only so many requests through in a second.

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"sync"
	"time"
)

// A fault is what happens to the requests that it matches. The first that matches counts.
type fault struct {
	// Of these methods; of any if there are none.
	Methods []string `json:"methods"`
	// Whose path and query match this expression.
	Path string `json:"path"`
	// For so many requests; for all if it is 0.
	Times int `json:"times"`

	// Answered by the proxy with this status.
	Status int `json:"status"`
	// Or: a watch that begins with the event that says that its version is too old.
	Expired bool `json:"expired"`
	// Or: the connection closes and there is no answer.
	Hangup bool `json:"hangup"`
	// Or: passed on after so many milliseconds.
	DelayMs int `json:"delayMs"`
	// Or: passed on, and the answer breaks off after so many bytes.
	Truncate int `json:"truncate"`

	pattern *regexp.Regexp
	struck  int
}

// An order changes how the proxy is. What is left out stays as it is.
type order struct {
	Faults *[]*fault `json:"faults"`
	// Whether connections are refused. Those that stand are closed.
	Refuse *bool `json:"refuse"`
	// Closes all connections that stand.
	Drop bool `json:"drop"`
	// Requests in a second; the others get a 429. 0 for no limit.
	Rate *float64 `json:"rate"`
}

type requestLine struct {
	Ms     int64  `json:"ms"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status"`
	// Whether the proxy itself answered, or did something to the answer.
	Fault bool `json:"fault"`
}

type faultyProxy struct {
	listen, certificate, key string
	pass                     *httputil.ReverseProxy
	server                   *http.Server

	mutex       sync.Mutex
	listener    net.Listener
	connections map[net.Conn]struct{}
	faults      []*fault
	rate        float64
	tokens      float64
	tokensAt    time.Time

	logging sync.Mutex
	log     *json.Encoder
}

func faultProxy(flags *flag.FlagSet, arguments []string) error {
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	control := flags.String("control", "127.0.0.1:0", "where to take orders, a line of JSON each")
	server := flags.String("server", "", "URL of the API server")
	authority := flags.String("authority", "", "certificate authority file")
	certificate := flags.String("certificate", "", "the file of the certificate to serve with")
	key := flags.String("key", "", "the file of its key")
	log := flags.String("log", "", "append a line of JSON for each request to this file")
	_ = flags.Parse(arguments)

	pem, err := os.ReadFile(*authority)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	target, err := url.Parse(*server)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(*log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	proxy := &faultyProxy{listen: *listen, certificate: *certificate, key: *key, connections: map[net.Conn]struct{}{}, log: json.NewEncoder(file)}
	proxy.pass = &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) { request.SetURL(target) },
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}},
			TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
			MaxIdleConnsPerHost: 256,
			DisableCompression:  true,
		},
		FlushInterval:  -1,
		ModifyResponse: proxy.answered,
		ErrorHandler: func(answer http.ResponseWriter, request *http.Request, err error) {
			proxy.note(request, http.StatusBadGateway, false)
			http.Error(answer, err.Error(), http.StatusBadGateway)
		},
	}
	// One request at a time on a connection: HTTP/2 would have all on one.
	noHTTP2 := map[string]func(*http.Server, *tls.Conn, http.Handler){}
	proxy.server = &http.Server{Handler: proxy, ConnState: proxy.connected, TLSNextProto: noHTTP2}
	orders, err := net.Listen("tcp", *control)
	if err != nil {
		return err
	}
	if err := proxy.open(); err != nil {
		return err
	}
	onParentEnd(func() { os.Exit(0) })
	fmt.Printf("https://%s\n", proxy.listen)
	for {
		connection, err := orders.Accept()
		if err != nil {
			return err
		}
		go proxy.obey(connection)
	}
}

// open listens, at the same address as before.
func (p *faultyProxy) open() error {
	listener, err := net.Listen("tcp", p.listen)
	if err != nil {
		return err
	}
	p.mutex.Lock()
	p.listener, p.listen = listener, listener.Addr().String()
	p.mutex.Unlock()
	go func() { _ = p.server.ServeTLS(listener, p.certificate, p.key) }()
	return nil
}

func (p *faultyProxy) connected(connection net.Conn, state http.ConnState) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch state {
	case http.StateNew:
		p.connections[connection] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(p.connections, connection)
	}
}

// obey takes orders and says `ok` when each holds.
func (p *faultyProxy) obey(connection net.Conn) {
	defer connection.Close()
	lines := bufio.NewScanner(connection)
	for lines.Scan() {
		var told order
		err := json.Unmarshal(lines.Bytes(), &told)
		if err == nil {
			err = p.change(&told)
		}
		if err != nil {
			fmt.Fprintf(connection, "%v\n", err)
		} else {
			fmt.Fprintln(connection, "ok")
		}
	}
}

func (p *faultyProxy) change(told *order) error {
	if told.Faults != nil {
		for _, fault := range *told.Faults {
			pattern, err := regexp.Compile(fault.Path)
			if err != nil {
				return err
			}
			fault.pattern = pattern
		}
		p.mutex.Lock()
		p.faults = *told.Faults
		p.mutex.Unlock()
	}
	if told.Rate != nil {
		p.mutex.Lock()
		p.rate, p.tokens, p.tokensAt = *told.Rate, *told.Rate, time.Now()
		p.mutex.Unlock()
	}
	refuses := told.Refuse != nil && *told.Refuse
	if refuses {
		p.mutex.Lock()
		listener := p.listener
		p.listener = nil
		p.mutex.Unlock()
		if listener != nil {
			_ = listener.Close()
		}
	}
	if refuses || told.Drop {
		p.mutex.Lock()
		for connection := range p.connections {
			_ = connection.Close()
		}
		p.mutex.Unlock()
	}
	if told.Refuse != nil && !*told.Refuse {
		p.mutex.Lock()
		closed := p.listener == nil
		p.mutex.Unlock()
		if closed {
			return p.open()
		}
	}
	return nil
}

// strikes returns what happens to a request, if anything does.
func (p *faultyProxy) strikes(request *http.Request) *fault {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, fault := range p.faults {
		if (fault.Times == 0 || fault.struck < fault.Times) && fault.matches(request) {
			fault.struck++
			return fault
		}
	}
	return nil
}

func (f *fault) matches(request *http.Request) bool {
	method := len(f.Methods) == 0
	for _, one := range f.Methods {
		method = method || one == request.Method
	}
	return method && f.pattern.MatchString(request.URL.RequestURI())
}

// passes takes a token, if there is one.
func (p *faultyProxy) passes() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.rate == 0 {
		return true
	}
	now := time.Now()
	p.tokens = min(p.tokens+now.Sub(p.tokensAt).Seconds()*p.rate, p.rate)
	p.tokensAt = now
	if p.tokens < 1 {
		return false
	}
	p.tokens--
	return true
}

type truncatedKey struct{}

func (p *faultyProxy) ServeHTTP(answer http.ResponseWriter, request *http.Request) {
	if !p.passes() {
		answer.Header().Set("Retry-After", "1")
		p.refuse(answer, request, http.StatusTooManyRequests, "TooManyRequests")
		return
	}
	struck := p.strikes(request)
	switch {
	case struck == nil:
	case struck.Status != 0:
		p.refuse(answer, request, struck.Status, "Injected")
		return
	case struck.Hangup:
		p.note(request, 0, true)
		panic(http.ErrAbortHandler)
	case struck.Expired:
		p.note(request, http.StatusOK, true)
		answer.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(answer, "{\"type\":\"ERROR\",\"object\":%s}\n", status(http.StatusGone, "Expired"))
		return
	default:
		time.Sleep(time.Duration(struck.DelayMs) * time.Millisecond)
		if struck.Truncate > 0 {
			request = request.WithContext(context.WithValue(request.Context(), truncatedKey{}, struck.Truncate))
		}
	}
	p.pass.ServeHTTP(answer, request)
}

func (p *faultyProxy) refuse(answer http.ResponseWriter, request *http.Request, code int, reason string) {
	p.note(request, code, true)
	answer.Header().Set("Content-Type", "application/json")
	answer.WriteHeader(code)
	_, _ = io.WriteString(answer, status(code, reason))
}

func status(code int, reason string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"injected by a test","reason":%q,"code":%d}`, reason, code)
}

func (p *faultyProxy) note(request *http.Request, code int, fault bool) {
	p.logging.Lock()
	defer p.logging.Unlock()
	_ = p.log.Encode(requestLine{time.Now().UnixMilli(), request.Method, request.URL.RequestURI(), code, fault})
}

// answered notes an answer of the API server when its headers are here, and cuts it off where that was ordered.
func (p *faultyProxy) answered(response *http.Response) error {
	bytes, truncated := response.Request.Context().Value(truncatedKey{}).(int)
	p.note(response.Request, response.StatusCode, truncated)
	if truncated {
		response.Body = &breaking{response.Body, bytes}
	}
	return nil
}

// breaking is a body that ends with an error after so many bytes.
type breaking struct {
	io.ReadCloser
	left int
}

var errBroken = errors.New("broken off")

func (b *breaking) Read(into []byte) (int, error) {
	if b.left == 0 {
		return 0, errBroken
	}
	count, err := b.ReadCloser.Read(into[:min(len(into), b.left)])
	b.left -= count
	return count, err
}
