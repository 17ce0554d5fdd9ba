package main

import (
	"context"
	"errors"
	"fmt"

	"throughline/internal/stories"
	"throughline/internal/titles"
)

// ChatFlags name the model that writes titles.
type ChatFlags struct {
	ChatModel      string `placeholder:"NAME" help:"Chat model that writes titles. Default: none, titles are those of articles."`
	ChatBaseURL    string `name:"chat-base-url" placeholder:"URL" help:"URL of its OpenAI-compatible endpoint with /v1. Default: --base-url."`
	ChatAPIKeyFile string `name:"chat-api-key-file" type:"path" placeholder:"FILE" help:"File with its API key; or set CHAT_API_KEY. Default at --base-url: its key."`
}

// check finds flags that contradict each other.
func (f ChatFlags) check(base string) error {
	switch {
	case f.ChatModel == "" && f.ChatBaseURL != "":
		return usageError{errors.New("--chat-base-url needs --chat-model")}
	case f.ChatModel == "" && f.ChatAPIKeyFile != "":
		return usageError{errors.New("--chat-api-key-file needs --chat-model")}
	case f.ChatModel != "" && f.ChatBaseURL == "" && base == "":
		return usageError{errors.New("--chat-model needs --chat-base-url")}
	}
	return nil
}

// namer makes the writer of titles; nil without --chat-model. It does not call the endpoint, which
// may be down without keeping anything else from starting.
func (p *program) namer() (stories.Namer, error) {
	f := p.cli.ChatFlags
	if f.ChatModel == "" {
		return nil, nil
	}
	key, err := secret(f.ChatAPIKeyFile, "CHAT_API_KEY")
	if err != nil {
		return nil, fmt.Errorf("--chat-api-key-file: %w", err)
	}
	base := f.ChatBaseURL
	if base == "" {
		base = p.cli.BaseURL
	}
	if key == "" && base == p.cli.BaseURL { // a key is for the endpoint that it was given for
		if key, err = secret(p.cli.APIKeyFile, "OPENAI_API_KEY"); err != nil {
			return nil, fmt.Errorf("--api-key-file: %w", err)
		}
	}
	client, err := titles.New(titles.Config{BaseURL: base, APIKey: key, Model: f.ChatModel})
	var field *titles.ConfigError
	if errors.As(err, &field) {
		flag := map[string]string{"BaseURL": "--chat-base-url", "APIKey": "CHAT_API_KEY or --chat-api-key-file", "Model": "--chat-model"}[field.Field]
		return nil, usageError{fmt.Errorf("%s %s", flag, field.Problem)}
	}
	if err != nil {
		return nil, err
	}
	return client, nil
}

// nameStories gives stories and topics titles of the chat model, if any. A failure of the model is
// no error.
func (e *engine) nameStories(ctx context.Context) error {
	if e.namer == nil {
		return nil
	}
	_, err := e.stories.Name(ctx, e.namer)
	if ctx.Err() != nil {
		return nil // interrupted: the next run names the rest
	}
	if err != nil {
		return fmt.Errorf("naming stories: %w", err)
	}
	return nil
}
