// What a caller in Go sees: client ADDRESS ADDRESS_WITHOUT_A_LEADER prints it as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	helloworld "interop/gen"
	quorumq "interop/gen/quorumq/v1"
)

type found map[string]any

// Ends the program: what went wrong is for whoever started it to read.
func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func spec(key string, payload string) *quorumq.JobSpec {
	return &quorumq.JobSpec{Kind: "greet", Payload: []byte(payload), IdempotencyKey: "go-" + key}
}

// The error of a call, with all that it carries.
func failure(_ any, err error) found {
	told := status.Convert(err)
	code := map[codes.Code]string{
		codes.InvalidArgument:    "INVALID_ARGUMENT",
		codes.AlreadyExists:      "ALREADY_EXISTS",
		codes.NotFound:           "NOT_FOUND",
		codes.FailedPrecondition: "FAILED_PRECONDITION",
		codes.Unavailable:        "UNAVAILABLE",
	}[told.Code()]
	result := found{"code": code}
	for _, detail := range told.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			result["reason"], result["domain"] = detail.Reason, detail.Domain
			named := []string{}
			for name := range detail.Metadata {
				named = append(named, name)
			}
			slices.Sort(named)
			result["named"] = named
		case *errdetails.RetryInfo:
			result["retryDelayMs"] = detail.RetryDelay.AsDuration().Milliseconds()
		case *errdetails.BadRequest:
			fields := []string{}
			for _, violation := range detail.FieldViolations {
				fields = append(fields, violation.Field)
			}
			slices.Sort(fields)
			result["fields"] = fields
		}
	}
	return result
}

func greetings(ctx context.Context, greeter helloworld.GreeterClient) []string {
	stream := must(greeter.SayHelloBidiStream(ctx))
	for _, name := range []string{"a", "b"} {
		must(0, stream.Send(&helloworld.HelloRequest{Name: name}))
	}
	must(0, stream.CloseSend())
	messages := []string{}
	for {
		reply, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return messages
		}
		messages = append(messages, must(reply, err).Message)
	}
}

func watched(ctx context.Context, jobs quorumq.JobServiceClient, id string) string {
	stream := must(jobs.WatchJob(ctx, &quorumq.WatchJobRequest{JobId: id}))
	last := ""
	for {
		change, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last
		}
		last = must(change, err).Job.State.String()
	}
}

// Seven jobs that are due in an hour, read three at a time, then cancelled.
func scheduled(ctx context.Context, jobs quorumq.JobServiceClient) found {
	batch := []*quorumq.JobSpec{}
	for at := range 7 {
		job := spec(fmt.Sprintf("later-%d", at), `{"name":"Go"}`)
		job.RunAt = timestamppb.New(time.Now().Add(time.Hour))
		batch = append(batch, job)
	}
	submitted := must(jobs.BatchSubmitJobs(ctx, &quorumq.BatchSubmitJobsRequest{Jobs: batch}))
	ids := []string{}
	for _, one := range submitted.Jobs {
		ids = append(ids, one.JobId)
	}
	pages, listed := []int{}, []string{}
	for token := ""; ; {
		page := must(jobs.ListJobs(ctx, &quorumq.ListJobsRequest{
			PageSize: 3, PageToken: token, Kind: "greet",
			State: quorumq.JobState_JOB_STATE_SCHEDULED,
		}))
		pages = append(pages, len(page.Jobs))
		for _, job := range page.Jobs {
			listed = append(listed, job.Id)
		}
		if token = page.NextPageToken; token == "" {
			break
		}
	}
	states := []string{}
	for _, id := range ids {
		cancelled := must(jobs.CancelJob(ctx, &quorumq.CancelJobRequest{JobId: id}))
		states = append(states, cancelled.Job.State.String())
	}
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	return found{
		"pages":         pages,
		"isNewestFirst": slices.Equal(listed, newest),
		"cancelled":     slices.Compact(states),
	}
}

func connect(address string) *grpc.ClientConn {
	return must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	channel, nowhere := connect(os.Args[1]), connect(os.Args[2])
	greeter := helloworld.NewGreeterClient(channel)
	jobs := quorumq.NewJobServiceClient(channel)
	result := found{}

	reply := must(greeter.SayHello(ctx, &helloworld.HelloRequest{Name: "Go"}))
	result["greeting"] = reply.Message
	result["greetings"] = greetings(ctx, greeter)

	submit := &quorumq.SubmitJobRequest{Job: spec("1", `{"name":"Go"}`)}
	first, second := must(jobs.SubmitJob(ctx, submit)), must(jobs.SubmitJob(ctx, submit))
	result["isSameJob"] = first.JobId == second.JobId
	result["deduplicated"] = []bool{first.Deduplicated, second.Deduplicated}
	result["traceIdLength"] = len(strings.TrimSpace(first.TraceId))
	run := &quorumq.RunJobRequest{Job: spec("2", `{"name":"Go"}`)}
	ran := must(jobs.RunJob(ctx, run)).Job
	result["ran"] = []any{ran.State.String(), json.RawMessage(ran.Result)}
	waited := must(jobs.WaitJob(ctx, &quorumq.WaitJobRequest{JobId: first.JobId}))
	result["waited"] = waited.Job.State.String()
	result["watched"] = watched(ctx, jobs, ran.Id)
	result["scheduled"] = scheduled(ctx, jobs)

	wrong := &quorumq.JobSpec{Kind: "greet", Payload: []byte("no"), Priority: 5000, MaxAttempts: 101}
	unknown := &quorumq.JobSpec{Kind: "no"}
	other := spec("1", `{"name":"another"}`)
	submitted := func(job *quorumq.JobSpec) found {
		return failure(jobs.SubmitJob(ctx, &quorumq.SubmitJobRequest{Job: job}))
	}
	leaderless := quorumq.NewJobServiceClient(nowhere)
	result["failures"] = found{
		"wrong":       submitted(wrong),
		"unknownKind": submitted(unknown),
		"reusedKey":   submitted(other),
		"finished":    failure(jobs.CancelJob(ctx, &quorumq.CancelJobRequest{JobId: ran.Id})),
		"noJob":       failure(jobs.GetJob(ctx, &quorumq.GetJobRequest{JobId: "j-none"})),
		"leaderless":  failure(leaderless.GetJob(ctx, &quorumq.GetJobRequest{JobId: "j-1"})),
	}
	must(0, json.NewEncoder(os.Stdout).Encode(result))
}
