// Decodes and encodes samples with a generated client; the bytes must stay.
using System;
using System.IO;

static class Check
{
    static int Main(string[] args)
    {
        var data = File.ReadAllBytes(args[0]);
        var count = 0;
        for (var at = 0; at < data.Length; count++)
        {
            var size = data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3];
            var want = new byte[size];
            Array.Copy(data, at + 4, want, 0, size);
            at += 4 + size;
            var got = GentestClient.GameEchoArgs.Decode(want).Encode();
            if (BitConverter.ToString(got) != BitConverter.ToString(want))
            {
                Console.WriteLine("sample " + count + " became\n" + BitConverter.ToString(got) + ", was\n" + BitConverter.ToString(want));
                return 1;
            }
        }
        Console.WriteLine(count + " samples");
        return 0;
    }
}
