package lambdaapi

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-go/sluice/framework/env"
)

// childEnv is the whole environment of a process. Nothing comes from this
// process's own, so no credentials of the developer's can leak in.
//
// The variables and their values are those of "Working with environment
// variables in Lambda". AWS_EXECUTION_ENV is missing on purpose: Lambda does not
// set it for provided.al2023.
func (s *Server) childEnv(p *process, addr, tmp string) []string {
	c := &p.fn.cfg
	vars := map[string]string{
		"PATH":   "/usr/local/bin:/usr/bin:/bin",
		"LANG":   "en_US.UTF-8",
		"TZ":     ":UTC",
		"TMPDIR": tmp,

		"_HANDLER":         "bootstrap",
		"LAMBDA_TASK_ROOT": c.Dir,

		"AWS_LAMBDA_RUNTIME_API":          addr + "/" + s.opts.Prefix + "/" + p.token,
		"AWS_LAMBDA_FUNCTION_NAME":        c.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     c.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(c.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + c.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      p.born.UTC().Format("2006/01/02") + "/[" + c.Version + "]" + strings.ToLower(p.token),
		"AWS_LAMBDA_LOG_FORMAT":           c.LogFormat,

		"AWS_REGION":            s.opts.Region,
		"AWS_DEFAULT_REGION":    s.opts.Region,
		"AWS_ACCESS_KEY_ID":     p.accessKey,
		"AWS_SECRET_ACCESS_KEY": "local",
		"AWS_SESSION_TOKEN":     "local",

		// The SDK finds a home directory without HOME, and in it the
		// developer's profile; these two keep it out.
		"AWS_CONFIG_FILE":             "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_EC2_METADATA_DISABLED":   "true",

		env.Local: "1",
	}
	if c.LogLevel != "" {
		vars["AWS_LAMBDA_LOG_LEVEL"] = c.LogLevel
	}
	maps.Copy(vars, s.opts.Env)
	maps.Copy(vars, c.Env)

	list := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		list = append(list, name+"="+vars[name])
	}
	return list
}

// checkEnv refuses function variables that Lambda reserves and those that would
// lead a function out of the local runtime.
func checkEnv(vars map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(vars[name], "\x00") {
			return fmt.Errorf("environment variable %q can not be set: use letters, digits and underscores, and no zero byte in the value", name)
		}
		if why := reserved(name); why != "" {
			return fmt.Errorf("environment variable %s is reserved: %s: remove it from the function's environment", name, why)
		}
	}
	return nil
}

// reserved says why a function may not set a variable, or nothing.
func reserved(name string) string {
	switch name {
	case "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
		"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR":
		return "Lambda sets it"
	case "_LAMBDA_SERVER_PORT":
		return "it makes aws-lambda-go wait for another protocol"
	case "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_EC2_METADATA_DISABLED",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI":
		return "the local runtime gives each process credentials of its own"
	case env.Local:
		return "only the local runtime sets it"
	}
	switch {
	case strings.HasPrefix(name, "AWS_LAMBDA_"):
		return "Lambda sets it"
	case name == "AWS_ENDPOINT_URL", strings.HasPrefix(name, "AWS_ENDPOINT_URL_"), name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS":
		return "the local runtime says where its services are"
	}
	return ""
}
