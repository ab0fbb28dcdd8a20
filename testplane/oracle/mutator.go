// This file owns a mutating admission webhook that does to each object what the URL it is called at says.

package main

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

type admissionReview struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Request    *admissionRequest  `json:"request,omitempty"`
	Response   *admissionResponse `json:"response,omitempty"`
}

type admissionRequest struct {
	UID string `json:"uid"`
}

type admissionResponse struct {
	UID       string `json:"uid"`
	Allowed   bool   `json:"allowed"`
	PatchType string `json:"patchType,omitempty"`
	Patch     []byte `json:"patch,omitempty"`
}

// mutator serves HTTPS and answers each review with the JSON patch that is the URL's path, in hexadecimal digits.
func mutator(flags *flag.FlagSet, arguments []string) error {
	listen := flags.String("listen", "127.0.0.1:0", "where to listen")
	certificate := flags.String("certificate", "", "the certificate's file")
	key := flags.String("key", "", "the key's file")
	_ = flags.Parse(arguments)

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	onParentEnd(func() { os.Exit(0) })
	fmt.Printf("https://%s\n", listener.Addr())
	return http.ServeTLS(listener, http.HandlerFunc(review), *certificate, *key)
}

func review(answer http.ResponseWriter, asked *http.Request) {
	patch, err := hex.DecodeString(strings.TrimPrefix(asked.URL.Path, "/"))
	var told admissionReview
	if err == nil {
		err = json.NewDecoder(asked.Body).Decode(&told)
	}
	if err != nil || told.Request == nil {
		http.Error(answer, fmt.Sprintf("no review: %v", err), http.StatusBadRequest)
		return
	}
	response := &admissionResponse{UID: told.Request.UID, Allowed: true}
	if len(patch) > 0 {
		response.PatchType, response.Patch = "JSONPatch", patch
	}
	told.Request, told.Response = nil, response
	answer.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(answer).Encode(told); err != nil {
		log.Print(err)
	}
}
