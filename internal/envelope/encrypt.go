package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

const (
	// sealSize is how many bytes encryption adds: the nonce before the data, and GCM's tag after
	// it.
	sealSize = 12 + 16
	keySize  = 32
)

// extract returns the part of HKDF that is the same for all sessions, from which aead derives their
// keys. It is as secret as the master key.
func extract(master []byte) []byte { return must(hkdf.Extract(sha256.New, master, nil)) }

// aead returns AES-256-GCM (NIST SP 800-38D) with a key for one session only. HKDF (RFC 5869)
// derives it from the session's key and the result of extract. So the random nonces of all sessions
// do not exhaust a single key, and data sealed for one session cannot be opened for another.
func aead(extracted []byte, key string) cipher.AEAD {
	derived := must(hkdf.Expand(sha256.New, extracted, "dynamostore/aes256gcm/"+key, keySize))
	return must(cipher.NewGCMWithRandomNonce(must(aes.NewCipher(derived))))
}

// must returns v. It panics if there is an error, which only invalid parameters cause.
func must[T any](v T, err error) T {
	if err != nil {
		panic("dynamostore: " + err.Error())
	}
	return v
}

// associated returns the associated data of a session: its key and its tag. The key's length
// precedes it, so that no other pair gives the same bytes.
func associated(key, tag string) []byte {
	b := make([]byte, 0, 8+len(key)+len(tag))
	b = binary.BigEndian.AppendUint64(b, uint64(len(key)))
	b = append(b, key...)
	return append(b, tag...)
}

// encrypt returns a nonce followed by plain, sealed.
func encrypt(extracted []byte, key, tag string, plain []byte) []byte {
	return aead(extracted, key).Seal(nil, nil, plain, associated(key, tag))
}

// decrypt opens what encrypt sealed, and returns the index of the master key that opened it.
func decrypt(extracted [][]byte, key, tag string, sealed []byte) (plain []byte, by int, ok bool) {
	bound := associated(key, tag)
	for i, extracted := range extracted {
		if plain, err := aead(extracted, key).Open(nil, nil, sealed, bound); err == nil {
			return plain, i, true
		}
	}
	return nil, 0, false
}
