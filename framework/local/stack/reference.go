package stack

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// ref evaluates a Ref: to a pseudo parameter, a parameter or a resource.
func (r *reader) ref(name, path string, sc scope) any {
	if value, ok := r.opts.Values[name]; ok {
		return value
	}
	if strings.HasPrefix(name, "AWS::") {
		return r.pseudo(name, path)
	}
	if _, ok := r.object("Parameters")[name]; ok {
		return r.useParameter(name, path)
	}
	res := r.target(name, path, sc)
	if res == nil {
		return unresolved
	}
	switch res.typ {
	case typeQueue:
		return r.opts.EndpointURL + "/" + r.opts.Account + "/" + r.name(res)
	case typeTopic, typeSubscription, typeVersion, typeAlias:
		return r.arn(res, path)
	case typeMapping:
		return uuid(res.id)
	case typeRule:
		// The name, and behind the bus's where that is not the default bus.
		if bus := r.ruleBus(res); bus == unresolved {
			return unresolved
		} else if bus != "default" {
			return fmt.Sprint(bus, "|", r.name(res))
		}
		return r.name(res)
	case typeFunction, typeBus, typeTable, typeGlobalTable, typeLogGroup, typeRole, typeBucket:
		return r.name(res)
	case typeInvokeConfig:
		return uuid(res.id)
	}
	return r.bad(path, "%s is a %s, which the local runtime does not have: give its local value in Options.Values[%q]", name, res.typ, name)
}

// target is the resource that a reference names, or nil if that was reported.
func (r *reader) target(id, path string, sc scope) *resource {
	if sc == inCondition {
		r.fail(path, "a condition refers to %s, which is no parameter: CloudFormation allows only parameters there", id)
		return nil
	}
	res := r.res[id]
	switch {
	case res != nil:
	case r.absent[id] != "":
		r.fail(path, "refers to %s, which does not exist because its condition %s is false: put the reference behind the same condition", id, r.absent[id])
	default:
		r.fail(path, "refers to %s, which is no parameter and no resource of the template: synthesize it again", id)
	}
	return res
}

func (r *reader) pseudo(name, path string) any {
	switch name {
	case "AWS::Region":
		return r.opts.Region
	case "AWS::AccountId":
		return r.opts.Account
	case "AWS::Partition":
		return r.opts.Partition
	case "AWS::StackName":
		return r.opts.StackName
	case "AWS::StackId":
		return r.makeARN("cloudformation", "stack/"+r.opts.StackName+"/"+uuid(r.opts.StackName))
	case "AWS::URLSuffix":
		if r.opts.Partition == "aws-cn" {
			return "amazonaws.com.cn"
		}
		return "amazonaws.com"
	case "AWS::NotificationARNs":
		return []any{}
	case "AWS::NoValue":
		return noValue
	}
	return r.bad(path, "%s is no pseudo parameter that this reader knows: write the value without it", name)
}

// getAtt evaluates both forms of Fn::GetAtt: ["id", "attribute"], "id.attribute".
func (r *reader) getAtt(arg any, path string, sc scope) any {
	switch arg := arg.(type) {
	case string:
		if id, attribute, ok := strings.Cut(arg, "."); ok {
			return r.attribute(id, attribute, path, sc)
		}
	case []any:
		if len(arg) == 2 {
			if id, ok := arg[0].(string); ok {
				attribute, ok := r.scalarIn(arg[1], index(path, 1), sc)
				if !ok {
					return unresolved
				}
				return r.attribute(id, attribute, path, sc)
			}
		}
	}
	return r.bad(path, "is not a resource and an attribute: give [id, attribute] or \"id.attribute\"")
}

// attribute is a return value of a resource, as the template reference of its
// type lists them.
func (r *reader) attribute(id, attribute, path string, sc scope) any {
	if value, ok := r.opts.Values[id+"."+attribute]; ok {
		return value
	}
	res := r.target(id, path, sc)
	if res == nil {
		return unresolved
	}
	switch res.typ + "." + attribute {
	case typeQueue + ".Arn", typeFunction + ".Arn", typeTable + ".Arn", typeGlobalTable + ".Arn", typeBus + ".Arn", typeRule + ".Arn",
		typeTopic + ".TopicArn", typeSubscription + ".Arn", typeMapping + ".EventSourceMappingArn",
		typeAlias + ".AliasArn", typeVersion + ".FunctionArn", typeRole + ".Arn", typeBucket + ".Arn":
		return r.arn(res, path)
	case typeLogGroup + ".Arn": // with the colon and star that CloudFormation appends
		return r.makeARN("logs", "log-group:"+r.name(res)+":*")
	case typeQueue + ".QueueName", typeTopic + ".TopicName", typeBus + ".Name":
		return r.name(res)
	case typeQueue + ".QueueUrl":
		return r.ref(id, path, sc)
	case typeMapping + ".Id":
		return uuid(id)
	case typeVersion + ".Version":
		return r.version(res)
	}
	return r.bad(path, "the local runtime has no value of %s for %s (%s): give it in Options.Values[%q]", attribute, id, res.typ, id+"."+attribute)
}

// arn is a resource's ARN. path is where it is needed.
func (r *reader) arn(res *resource, path string) any {
	switch res.typ {
	case typeQueue:
		return r.makeARN("sqs", r.name(res))
	case typeTopic:
		return r.makeARN("sns", r.name(res))
	case typeFunction:
		return r.makeARN("lambda", "function:"+r.name(res))
	case typeTable:
		return r.makeARN("dynamodb", "table/"+r.name(res))
	case typeGlobalTable:
		return r.makeARN("dynamodb", "table/"+r.name(res))
	case typeBus:
		return r.makeARN("events", "event-bus/"+r.name(res))
	case typeMapping:
		return r.makeARN("lambda", "event-source-mapping:"+uuid(res.id))
	case typeRole:
		return "arn:" + r.opts.Partition + ":iam::" + r.opts.Account + ":role/" + r.name(res)
	case typeBucket:
		return "arn:" + r.opts.Partition + ":s3:::" + r.name(res)
	case typeRule:
		bus := r.ruleBus(res)
		switch bus {
		case unresolved:
			return unresolved
		case "default":
			return r.makeARN("events", "rule/"+r.name(res))
		}
		return r.makeARN("events", fmt.Sprint("rule/", bus, "/", r.name(res)))
	case typeSubscription:
		topic, ok := r.scalar(res.props["TopicArn"], "Resources."+res.id+".Properties.TopicArn")
		if !ok {
			return unresolved
		}
		return topic + ":" + uuid(res.id)
	case typeVersion, typeAlias:
		fn, ok := r.functionOf(res)
		if !ok {
			return unresolved
		}
		qualifier := r.version(res)
		if res.typ == typeAlias {
			if qualifier, ok = r.scalar(res.props["Name"], "Resources."+res.id+".Properties.Name"); !ok {
				return unresolved
			}
		}
		return r.makeARN("lambda", "function:"+r.name(fn)+":"+qualifier)
	}
	return r.bad(path, "a %s has no ARN here", res.typ)
}

func (r *reader) makeARN(service, rest string) string {
	return "arn:" + r.opts.Partition + ":" + service + ":" + r.opts.Region + ":" + r.opts.Account + ":" + rest
}

// ruleBus is the name of a rule's bus, which may be given as name or ARN.
func (r *reader) ruleBus(res *resource) any {
	v, ok := res.props["EventBusName"]
	if !ok {
		return "default"
	}
	path := "Resources." + res.id + ".Properties.EventBusName"
	switch value := r.resolve(v, path); value {
	case noValue:
		return "default"
	case unresolved:
		return unresolved
	default:
		name, ok := value.(string)
		if !ok {
			return r.bad(path, "is %s where a bus's name or ARN is needed: give a string", kind(value))
		}
		if i := strings.LastIndex(name, ":event-bus/"); i >= 0 {
			name = name[i+len(":event-bus/"):]
		}
		return name
	}
}

// functionOf is the function that a FunctionName property means, through an
// alias or a version. One that is not in the template is reported.
func (r *reader) functionOf(res *resource) (*resource, bool) {
	path := "Resources." + res.id + ".Properties.FunctionName"
	name, ok := r.scalar(res.props["FunctionName"], path)
	if !ok {
		return nil, false
	}
	fn, _, ok := r.parseFunction(name, path)
	return fn, ok
}

// parseFunction takes every form of FunctionName: "name", "name:qualifier",
// "account:function:name" and ARNs, with or without a qualifier.
func (r *reader) parseFunction(s, path string) (fn *resource, qualifier string, ok bool) {
	name := s
	if _, after, found := strings.Cut(s, ":function:"); found {
		name = after
	}
	name, qualifier, _ = strings.Cut(name, ":")
	for _, id := range r.ids {
		if res := r.res[id]; res.typ == typeFunction && r.name(res) == name {
			return res, qualifier, true
		}
	}
	r.fail(path, "%q is no function of this template: only functions that are declared here can run locally", s)
	return nil, "", false
}

// version is the number of an AWS::Lambda::Version. A function's versions are
// numbered in the order of their logical ids: what is deployed depends on the
// history of the stack, which a template does not tell.
func (r *reader) version(res *resource) string {
	if res.typ != typeVersion {
		return ""
	}
	own, _ := r.functionOf(res)
	n := 0
	for _, id := range r.ids {
		other := r.res[id]
		if other.typ != typeVersion {
			continue
		}
		if fn, _ := r.functionOf(other); fn == own {
			n++
		}
		if id == res.id {
			break
		}
	}
	return strconv.Itoa(n)
}

// uuid is a stable UUID for what AWS gives a random one.
func uuid(seed string) string {
	b := sha256.Sum256([]byte(seed))
	b[6] = b[6]&0x0f | 0x50
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
