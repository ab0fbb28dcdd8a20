// This file owns the message about a push: GitHub's push event, signed as GitHub signs.

package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

const noObject = "0000000000000000000000000000000000000000"

// receiver is told of pushes to the repositories below base.
type receiver struct{ url, secret, base string }

var notifying = http.Client{Timeout: 5 * time.Second}

// pushed posts one event for each reference that changed.
func (r *receiver) pushed(repository, user string, before, after map[string]string) {
	var names []string
	for name := range after {
		names = append(names, name)
	}
	for name := range before {
		if after[name] == "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if before[name] == after[name] {
			continue
		}
		if err := r.post(event(r.base, repository, user, name, orNone(before[name]), orNone(after[name]))); err != nil {
			fmt.Fprintf(os.Stderr, "telling %s about a push to %s: %v\n", r.url, repository, err)
		}
	}
}

func event(base, repository, user, reference, before, after string) map[string]any {
	name := strings.TrimSuffix(repository, ".git")
	return map[string]any{
		"ref": reference, "before": before, "after": after,
		"created": before == noObject, "deleted": after == noObject, "forced": false,
		"repository": map[string]any{
			"name": name[strings.LastIndex(name, "/")+1:], "full_name": name,
			"url": base + "/" + repository, "clone_url": base + "/" + repository, "html_url": base + "/" + name,
		},
		"pusher": map[string]any{"name": user},
	}
}

func (r *receiver) post(event map[string]any) error {
	body, err := json.Marshal(event)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "GitHub-Hookshot/oracle")
	request.Header.Set("X-GitHub-Event", "push")
	request.Header.Set("X-GitHub-Delivery", rand.Text())
	if r.secret != "" {
		mac := hmac.New(sha256.New, []byte(r.secret))
		mac.Write(body)
		request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	response, err := notifying.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		err = fmt.Errorf("it answered %s", response.Status)
	}
	_ = response.Body.Close()
	return err
}

func orNone(object string) string {
	if object == "" {
		return noObject
	}
	return object
}
