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

	"github.com/troupe-go/troupe/internal/wire/wiretest"
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
	echo := wiretest.New(t, gameEcho.AppendArgs, gameEcho.ParseArgs)
	echo.Dynamic = emitted(t, "GameEchoArgs")
	echo.Test(t)
	reply := wiretest.New(t, gameEchoPtr.AppendReply, gameEchoPtr.ParseReply)
	reply.Dynamic = emitted(t, "GameEchoPtrReply")
	reply.Test(t)
	cast := wiretest.New(t, gameCast.AppendArgs, gameCast.ParseArgs)
	cast.Dynamic = emitted(t, "GameCastArgs")
	cast.Test(t)
	odd := wiretest.New(t, gameOdd.AppendArgs, gameOdd.ParseArgs)
	odd.Dynamic = emitted(t, "GameOddArgs")
	odd.Test(t)
	trees := wiretest.New(t, gameTrees.AppendArgs, gameTrees.ParseArgs)
	trees.Dynamic = emitted(t, "GameTreesArgs")
	trees.Test(t)
}
