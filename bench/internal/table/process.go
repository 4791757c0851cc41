package table

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// usagePath is where a server process tells its Usage. DynamoDB has only "/".
const usagePath = "/usage"

// ServeHTTP implements http.Handler: DynamoDB's protocol, and the usage.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == usagePath {
		_ = json.NewEncoder(w).Encode(s.Usage()) // a client that is gone needs no answer
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 32<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if wait(r.Context(), s.latency) != nil {
		return
	}
	status, answer := s.Call(operation(r), body)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_, _ = w.Write(answer) // likewise
}

// Serve serves s over TLS on a free port of 127.0.0.1 until in ends, which is
// when the process that started this one is gone. It writes one line to out,
// which [Start] reads: the address and the certificate.
func (s *Server) Serve(in io.Reader, out io.Writer) error {
	cert, err := selfSigned()
	if err != nil {
		return err
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = server.Close()
	}()
	if _, err := fmt.Fprintln(out, ln.Addr(), base64.StdEncoding.EncodeToString(cert.Certificate[0])); err != nil {
		return fmt.Errorf("tell the address: %w", err)
	}
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// A Process is a server in a process of its own.
type Process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	addr  string
	trust *x509.CertPool
	plain *http.Client
}

// Start runs this program again with the given arguments, which must lead to
// [Server.Serve] on its standard input and output.
func Start(ctx context.Context, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	p := &Process{cmd: exec.CommandContext(ctx, self, args...), trust: x509.NewCertPool()}
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server process: %w", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = p.meet(line)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server process did not tell its address: %w", err), p.Close())
	}
	p.plain = &http.Client{Transport: p.transport()}
	return p, nil
}

func (p *Process) meet(line string) error {
	addr, encoded, ok := strings.Cut(strings.TrimSpace(line), " ")
	if !ok {
		return fmt.Errorf("it said %q", line)
	}
	der, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	p.addr = addr
	p.trust.AddCert(cert)
	return nil
}

func (p *Process) transport() *http.Transport {
	// As the baseline has it: HTTP/1.1, as DynamoDB speaks, and enough idle
	// connections for the concurrent variant.
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: p.trust, MinVersion: tls.VersionTLS13},
		MaxIdleConnsPerHost: 100, DisableCompression: true,
	}
}

// Client returns an SDK client of the process with connections of its own, and
// the counter of its requests.
func (p *Process) Client() (*dynamodb.Client, *Counter) {
	c := &Counter{next: p.transport()}
	return newClient("https://"+p.addr, c), c
}

// Usage returns what was asked of the process so far.
func (p *Process) Usage(ctx context.Context) (Usage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+p.addr+usagePath, nil)
	if err != nil {
		return Usage{}, err
	}
	res, err := p.plain.Do(req)
	if err != nil {
		return Usage{}, fmt.Errorf("usage: %w", err)
	}
	defer res.Body.Close()
	var u Usage
	if err := json.NewDecoder(res.Body).Decode(&u); err != nil {
		return Usage{}, fmt.Errorf("usage: %w", err)
	}
	return u, nil
}

// Close ends the process.
func (p *Process) Close() error {
	if err := p.stdin.Close(); err != nil {
		return fmt.Errorf("end the server process: %w", err)
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("the server process: %w", err)
	}
	return nil
}
