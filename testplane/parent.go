// This file owns the tie between a server and the process that started it.

package main

import (
	"io"
	"os"
)

// endWithParent ends this process when its standard input ends. The parent holds the
// other end of that pipe and never writes, so it ends when the parent dies, however it
// dies. That is as good as a crash, which all parts survive: only etcd has a state.
func endWithParent() {
	onParentEnd(func() { os.Exit(1) })
}

func onParentEnd(end func()) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
}
