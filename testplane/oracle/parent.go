// This file owns the tie between a server and the process that started it.

package main

import (
	"flag"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// A program that has not ended by itself this long after it was asked to is ended.
const grace = 2 * time.Second

// onParentEnd calls end when standard input does. The parent holds the other end of that
// pipe and never writes, so it closes when the parent wants this process to stop and also
// when the parent dies, however it dies.
func onParentEnd(end func()) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
}

// tied runs a program that knows nothing of that pipe, and ends it when the pipe ends.
func tied(_ *flag.FlagSet, arguments []string) error {
	// The kernel ends the program with this process too, so that even SIGKILL leaves
	// nothing. It watches the thread that started the program, hence the lock.
	runtime.LockOSThread()
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return err
	}
	end := func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		time.Sleep(grace)
		_ = command.Process.Kill()
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-terminated
		end()
	}()
	onParentEnd(end)
	return command.Wait()
}
