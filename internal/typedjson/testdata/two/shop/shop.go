// Package shop shares its name, and that of its type, with another package.
package shop

type Cart struct{ Two int }
