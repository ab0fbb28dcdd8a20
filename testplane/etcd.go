// This file owns etcd: one member, without TLS, on loopback.

package main

import (
	"flag"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

func etcd() error {
	directory := flag.String("data-dir", "", "where the data lies")
	client := flag.String("client-url", "", "where to listen for clients")
	peer := flag.String("peer-url", "", "where to listen for peers")
	discard := flag.String("discard", "", "a folder to remove when the parent dies, who else would")
	durable := flag.Bool("fsync", false, "survive a crash of the machine")
	flag.Parse()
	if *discard == "" {
		endWithParent()
	} else {
		onParentEnd(func() { remove(*discard); os.Exit(1) })
	}

	clientURL, err := url.Parse(*client)
	if err != nil {
		return err
	}
	peerURL, err := url.Parse(*peer)
	if err != nil {
		return err
	}

	config := embed.NewConfig()
	config.Dir = *directory
	config.ListenClientUrls = []url.URL{*clientURL}
	config.AdvertiseClientUrls = []url.URL{*clientURL}
	config.ListenPeerUrls = []url.URL{*peerURL}
	config.AdvertisePeerUrls = []url.URL{*peerURL}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.LogLevel = "warn"
	config.UnsafeNoFsync = !*durable
	// Left at zero, every request is one that took too long, and is logged.
	config.WarningUnaryRequestDuration = 5 * time.Second

	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGINT)
	select {
	case err = <-server.Err():
		return err
	case <-server.Server.StopNotify():
		return nil
	case <-terminated:
		server.Close()
		return nil
	}
}

// remove removes a folder into which others, who are ending as well, may still write.
func remove(directory string) {
	for range 50 {
		if os.RemoveAll(directory) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
