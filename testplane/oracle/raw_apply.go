// This file owns the raw client of the benchmarks: the same server-side applies that Plumb
// makes, sent by 32 connections that do nothing else.

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

type rawWrite struct {
	Path string          `json:"path"`
	Body json.RawMessage `json:"body"`
}

// rawApply reads one write a line (`{"path": …, "body": …}`; each group of lines up to an
// empty one is done before the next begins), sends them, and prints
// `{"requests": N, "seconds": S}`.
func rawApply(flags *flag.FlagSet, arguments []string) error {
	server := flags.String("server", "", "URL of the API server")
	token := flags.String("token", "", "bearer token")
	authority := flags.String("authority", "", "certificate authority file")
	connections := flags.Int("connections", 32, "connections")
	manager := flags.String("manager", "raw", "field manager")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	pem, err := os.ReadFile(*authority)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{
		// A name of its own for each connection would be one HTTP/2 connection for all.
		TLSClientConfig:     &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}},
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
		MaxIdleConnsPerHost: *connections,
		MaxConnsPerHost:     *connections,
		DisableCompression:  true,
	}}
	groups, err := readWrites(os.Stdin)
	if err != nil {
		return err
	}
	begun, requests := time.Now(), 0
	for _, group := range groups {
		if err := sendAll(client, *server, *token, *manager, *connections, group); err != nil {
			return err
		}
		requests += len(group)
	}
	fmt.Printf("{\"requests\": %d, \"seconds\": %.3f}\n", requests, time.Since(begun).Seconds())
	return nil
}

func readWrites(in io.Reader) ([][]rawWrite, error) {
	groups := [][]rawWrite{{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if text := bytes.TrimSpace(line); len(text) > 0 {
			var write rawWrite
			if err := json.Unmarshal(text, &write); err != nil {
				return nil, err
			}
			groups[len(groups)-1] = append(groups[len(groups)-1], write)
		} else if err == nil {
			groups = append(groups, []rawWrite{})
		}
		if err == io.EOF {
			return groups, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func sendAll(client *http.Client, server, token, manager string, connections int, writes []rawWrite) error {
	queue, failures := make(chan rawWrite), make(chan error, connections)
	var senders sync.WaitGroup
	for range connections {
		senders.Add(1)
		go func() {
			defer senders.Done()
			var failure error
			for write := range queue {
				if failure == nil {
					failure = send(client, server, token, manager, write)
				}
			}
			failures <- failure
		}()
	}
	for _, write := range writes {
		queue <- write
	}
	close(queue)
	senders.Wait()
	close(failures)
	for failure := range failures {
		if failure != nil {
			return failure
		}
	}
	return nil
}

func send(client *http.Client, server, token, manager string, write rawWrite) error {
	url := server + write.Path + "?fieldManager=" + manager + "&force=true"
	request, err := http.NewRequest(http.MethodPatch, url, bytes.NewReader(write.Body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/apply-patch+yaml")
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s: %s", write.Path, response.Status, body)
	}
	return err
}
