// SPDX-License-Identifier: MIT

package gentest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// emitted returns a message of gentest.proto, which the generator wrote and
// protoc compiled.
func emitted(t testing.TB, name protoreflect.Name) protoreflect.MessageDescriptor {
	t.Helper()
	data, err := os.ReadFile("gentest.binpb")
	require.NoError(t, err)
	set := new(descriptorpb.FileDescriptorSet)
	require.NoError(t, proto.Unmarshal(data, set))
	files, err := protodesc.NewFiles(set)
	require.NoError(t, err)
	file, err := files.FindFileByPath("gentest.proto")
	require.NoError(t, err)
	message := file.Messages().ByName(name)
	require.NotNil(t, message, "%s is not in gentest.proto", name)
	return message
}

// TestEmittedProtoReadsTheSameBytes repeats TestAllPathsAgree with messages
// made from the .proto that clients get.
func TestEmittedProtoReadsTheSameBytes(t *testing.T) {
	echo := newCodec(t, gameEcho.AppendArgs, gameEcho.ParseArgs)
	echo.dynamic = emitted(t, "GameEchoArgs")
	echo.test(t)
	reply := newCodec(t, gameEchoPtr.AppendReply, gameEchoPtr.ParseReply)
	reply.dynamic = emitted(t, "GameEchoPtrReply")
	reply.test(t)
	cast := newCodec(t, gameCast.AppendArgs, gameCast.ParseArgs)
	cast.dynamic = emitted(t, "GameCastArgs")
	cast.test(t)
	odd := newCodec(t, gameOdd.AppendArgs, gameOdd.ParseArgs)
	odd.dynamic = emitted(t, "GameOddArgs")
	odd.test(t)
	trees := newCodec(t, gameTrees.AppendArgs, gameTrees.ParseArgs)
	trees.dynamic = emitted(t, "GameTreesArgs")
	trees.test(t)
}
