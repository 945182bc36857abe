module consentry.test/servers/geth

go 1.24

require github.com/ethereum/go-ethereum v1.17.10
