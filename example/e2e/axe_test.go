package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/chromedp/chromedp"
)

// The npm package of axe-core, and its integrity as npm states it.
const (
	axePackage   = "axe-core@4.14.1"
	axeArchive   = "axe-core-4.14.1.tgz"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)

// axeScript returns the script of axe-core. npm fetches the package once, into the user's cache
// directory.
var axeScript = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "dynamostore")
	archive, err := os.ReadFile(filepath.Join(cache, axeArchive))
	if errors.Is(err, os.ErrNotExist) {
		archive, err = fetchAxe(cache)
	}
	if err != nil {
		return "", err
	}
	sum := sha512.Sum512(archive)
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != axeIntegrity {
		return "", fmt.Errorf("the SHA-512 of %s in %s is %s, want %s", axeArchive, cache, got, axeIntegrity)
	}
	return unpack(archive, "package/axe.min.js")
})

// fetchAxe has npm fetch the package. It puts it into cache only once it is complete.
func fetchAxe(cache string) ([]byte, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cache, "axe-core-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if output, err := exec.Command("npm", "pack", "--silent", "--pack-destination", dir, axePackage).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("fetch %s by npm (on Debian: apt-get install npm): %w\n%s", axePackage, err, output)
	}
	path := filepath.Join(dir, axeArchive)
	archive, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return archive, os.Rename(path, filepath.Join(cache, axeArchive))
}

// unpack returns a file of a .tar.gz archive.
func unpack(archive []byte, name string) (string, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(z); ; {
		header, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("find %s in %s: %w", name, axeArchive, err)
		}
		if header.Name == name {
			content, err := io.ReadAll(files)
			return string(content), err
		}
	}
}

// wantAccessible asserts that axe-core finds nothing on the page.
func (t *tab) wantAccessible(where string) {
	t.Helper()
	script, err := axeScript()
	if err != nil {
		t.Fatal(err)
	}
	found := get(t, "run axe-core", chromedp.Evaluate[[]string](script+`;
		axe.run({resultTypes: ["violations"]}).then(({violations}) => violations.flatMap(({id, nodes}) =>
			nodes.map(({target, failureSummary}) => id + " at " + target + ": " + failureSummary)))`, chromedp.EvalAwaitPromise))
	for _, problem := range found {
		t.Errorf("%s: axe-core: %s", where, problem)
	}
}
