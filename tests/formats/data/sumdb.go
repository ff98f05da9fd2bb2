// Writes sumdb.json: what the Go project's transparency log packages make of the same values,
// for test_merkle.py, test_tiles.py and test_note.py.
//
// To write it again, with golang.org/x/mod in the GOPATH (Debian: golang-golang-x-mod-dev):
//
//	GO111MODULE=off go run sumdb.go > sumdb.json
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const pairsUpTo, tiled = 300, 70000

type storage []tlog.Hash

func (s storage) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = s[index]
	}
	return found, nil
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Leaf i is the number i in decimal.
func grow(size int64) storage {
	var stored storage
	for i := int64(0); i < size; i++ {
		data := []byte(fmt.Sprint(i))
		stored = append(stored, must(tlog.StoredHashes(i, data, stored))...)
	}
	return stored
}

func add(to hash.Hash, proof []tlog.Hash) {
	to.Write([]byte{byte(len(proof))})
	for _, one := range proof {
		to.Write(one[:])
	}
}

// One digest a tree: its root, its inclusion proofs by index, its consistency proofs by old size.
func digestTree(size int64, stored storage) string {
	digest := sha256.New()
	root := must(tlog.TreeHash(size, stored))
	digest.Write(root[:])
	for i := int64(0); i < size; i++ {
		add(digest, must(tlog.ProveRecord(size, i, stored)))
	}
	for old := int64(1); old <= size; old++ {
		add(digest, must(tlog.ProveTree(size, old, stored)))
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// The paths of tlog-tiles have no height; those of this package have it after "tile/".
func path(t tlog.Tile) string { return strings.Replace(t.Path(), "tile/8/", "tile/", 1) }

func parses(path string) bool {
	_, err := tlog.ParseTilePath(strings.Replace(path, "tile/", "tile/8/", 1))
	return err == nil
}

func listTiles(size int64, stored storage) map[string]string {
	tiles := map[string]string{}
	for level := 0; size>>(8*level) > 0; level++ {
		hashes := size >> (8 * level)
		for n := int64(0); n*256 < hashes; n++ {
			width := hashes - n*256
			if width > 256 {
				width = 256
			}
			t := tlog.Tile{H: 8, L: level, N: n, W: int(width)}
			sum := sha256.Sum256(must(tlog.ReadTileData(t, stored)))
			tiles[path(t)] = hex.EncodeToString(sum[:8])
		}
	}
	return tiles
}

func listPaths() [][]any {
	var paths [][]any
	for _, n := range []int64{0, 7, 67, 999, 1000, 1234067, 1 << 40, 1<<55 - 1, 1<<63 - 1} {
		for _, w := range []int{256, 1, 255} {
			for _, level := range []int{0, 1, 7} {
				t := tlog.Tile{H: 8, L: level, N: n, W: w}
				paths = append(paths, []any{level, n, w, path(t)})
			}
		}
	}
	return paths
}

func judgePaths() map[string]bool {
	judged := map[string]bool{}
	for _, p := range []string{
		"tile/0/000", "tile/00/000", "tile/-1/000", "tile/x/000", "tile/0/0", "tile/0/0000",
		"tile/0/1000", "tile/0/x000/001", "tile/0/x001/001", "tile/0/001/001", "tile/0/x001",
		"tile/0/x001/x001", "tile/0/X001/001", "tile/0/000.p/1", "tile/0/000.p/0",
		"tile/0/000.p/01", "tile/0/000.p/255", "tile/0/000.p/256", "tile/0/000.p/", "tile/0/000.p",
		"tile/0/000/", "tile/0//000", "/tile/0/000", "tile/0/000.p/1/", "tile/0/000.p/+1",
		"tile/0/000.P/1", "tile/0/x01/000", "tile/0/ 00", "tile/0/+00", "tile/0/٠٠٠", "tile/0/000\n",
	} {
		judged[p] = parses(p)
	}
	return judged
}

type signed struct {
	Name, Text, Key, Note string
	Seed                  byte
}

func newSigner(name string, seed byte) (note.Signer, string) {
	skey, vkey := must2(keys(name, seed))
	return must(note.NewSigner(skey)), vkey
}

// GenerateKey reads the 32 bytes of the private key from what it is given.
func keys(name string, seed byte) (string, string, error) {
	return note.GenerateKey(strings.NewReader(strings.Repeat(string(rune(seed)), 64)), name)
}

func must2(a, b string, err error) (string, string) {
	if err != nil {
		panic(err)
	}
	return a, b
}

func listNotes() []signed {
	var notes []signed
	for i, text := range []string{
		"One line.\n", "\n", "Two\nlines.\n", "A paragraph.\n\nAnother.\n\n", "Қалам, уақыт — 🕊\n",
		"— looks like a signature\n", "\u007f\u0085\u2028 are no control characters here\n",
	} {
		for j, name := range []string{"example.com/log", "имя", "a"} {
			seed := byte(1 + i*3 + j)
			s, vkey := newSigner(name, seed)
			message := must(note.Sign(&note.Note{Text: text}, s))
			notes = append(notes, signed{name, text, vkey, string(message), seed})
		}
	}
	return notes
}

type verdict struct {
	Note string
	Open bool
}

func judgeNotes() (string, []verdict) {
	s, vkey := newSigner("example.com/log", 1)
	other, _ := newSigner("example.com/other", 2)
	known := note.VerifierList(must(note.NewVerifier(vkey)))
	good := string(must(note.Sign(&note.Note{Text: "Text.\n"}, s)))
	both := string(must(note.Sign(&note.Note{Text: "Text.\n"}, other, s)))
	line := good[strings.Index(good, "—"):]
	foreign := string(must(note.Sign(&note.Note{Text: "Text.\n"}, other)))
	var verdicts []verdict
	for _, message := range []string{
		good, both, foreign, "", "\n", "\n\n", "Text.\n", "Text.\n\n", line, "\n" + line,
		"\n\n" + line, strings.TrimSuffix(good, "\n"), good + "\n", good + "more\n", good + "\n" + line,
		strings.Replace(good, "\n", "\r\n", 1), "\t" + good, "\x00" + good, "\xff" + good,
		"\xed\xa0\x80" + good, strings.Replace(good, "— ", "—", 1), strings.Replace(good, "— ", "- ", 1),
		strings.Replace(good, "— ", "—  ", 1), strings.Replace(good, "— ", "—\u00a0", 1),
		strings.Replace(good, "log ", "log  ", 1), strings.Replace(good, "log ", "log\u00a0", 1),
		strings.Replace(good, "log ", "lo+g ", 1), strings.Replace(good, "log ", "", 1),
		strings.Replace(good, "=\n", "\n", 1), strings.Replace(good, "=\n", "==\n", 1),
		strings.Replace(good, "Text", "Texts", 1), "Text.\n\n" + strings.Repeat(line, 100),
		"Text.\n\n" + strings.Repeat(line, 101), "Text.\n\n— a AAAA\n" + line, "Text.\n\n— a AAAAAAA=\n" + line,
		"Text.\n\n— b \n" + line, "Text.\n\n— example.com/log AAAAAAA=\n" + line, "Texts\n\n" + good,
	} {
		_, err := note.Open([]byte(message), known)
		verdicts = append(verdicts, verdict{base64.StdEncoding.EncodeToString([]byte(message)), err == nil})
	}
	return vkey, verdicts
}

func main() {
	stored := grow(tiled)
	var digests []string
	for size := int64(1); size <= pairsUpTo; size++ {
		digests = append(digests, digestTree(size, stored))
	}
	vkey, verdicts := judgeNotes()
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	must(0, encoder.Encode(map[string]any{
		"digests":     digests,
		"tiled_size":  tiled,
		"tiled_root":  must(tlog.TreeHash(tiled, stored)),
		"tiles":       listTiles(tiled, stored),
		"inclusion":   must(tlog.ProveRecord(tiled, 54321, stored)),
		"consistency": must(tlog.ProveTree(tiled, 12345, stored)),
		"paths":       listPaths(),
		"path_parses": judgePaths(),
		"notes":       listNotes(),
		"verdict_key": vkey,
		"verdicts":    verdicts,
	}))
}
