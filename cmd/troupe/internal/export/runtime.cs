// Times are UTC and null is Go's zero time; times and durations have a
// resolution of 100 ns. proto.Message values are their encoded bytes.

using System;
using System.Collections.Generic;
using System.Text;
using System.Threading.Tasks;

namespace Troupe
{
    /// <summary>Names an actor other than the player's own.</summary>
    public sealed class Route
    {
        public string Name;
        public long Id;
        public string Key;
    }

    /// <summary>A connection to the gate, by which calls go out.</summary>
    public interface ICaller
    {
        Task<byte[]> Call(int method, byte[] args, Route route);
        void Send(int method, byte[] args, Route route);
    }

    /// <summary>What has an encoding.</summary>
    public interface IMessage
    {
        void Write(Writer w);
        void Merge(Reader r);
    }

    /// <summary>The bytes do not decode.</summary>
    public sealed class MalformedException : Exception
    {
        public MalformedException(string text) : base(text) { }
    }

    internal static class Wire
    {
        public const int MaxDepth = 64;
        public static readonly DateTime UnixEpoch = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        public static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);

        public static bool NotZero(double v) { return BitConverter.DoubleToInt64Bits(v) != 0; }

        public static bool NotZero(byte[] v) { return Array.Exists(v, b => b != 0); }

        public static T[] Fill<T>(int size, Func<T> make)
        {
            var list = new T[size];
            for (var i = 0; i < size; i++) list[i] = make();
            return list;
        }

        public static void Set<T>(T[] list, int at, T value)
        {
            if (at >= list.Length) throw new MalformedException("more than " + list.Length + " elements");
            list[at] = value;
        }
    }

    /// <summary>Appends protobuf values to a buffer.</summary>
    public sealed class Writer
    {
        private byte[] buffer = new byte[64];
        private int size;

        public byte[] Finish()
        {
            var bytes = new byte[size];
            Buffer.BlockCopy(buffer, 0, bytes, 0, size);
            return bytes;
        }

        private void Reserve(int more)
        {
            if (size + more > buffer.Length) System.Array.Resize(ref buffer, Math.Max(buffer.Length * 2, size + more));
        }

        public void Varint(ulong v)
        {
            Reserve(10);
            for (; v >= 0x80; v >>= 7) buffer[size++] = (byte)(v | 0x80);
            buffer[size++] = (byte)v;
        }

        public void Bool(bool v) { Varint(v ? 1UL : 0UL); }
        public void Int32(int v) { Varint((ulong)(long)v); }
        public void Int64(long v) { Varint((ulong)v); }
        public void UInt32(uint v) { Varint(v); }
        public void SInt32(int v) { SInt64(v); }
        public void SInt64(long v) { Varint((ulong)((v << 1) ^ (v >> 63))); }
        public void SFixed32(int v) { Fixed32((uint)v); }
        public void SFixed64(long v) { Fixed64((ulong)v); }
        public void Float(float v) { Little(BitConverter.GetBytes(v)); }
        public void Double(double v) { Fixed64((ulong)BitConverter.DoubleToInt64Bits(v)); }

        public void Fixed32(uint v)
        {
            Reserve(4);
            for (var i = 0; i < 4; i++) buffer[size++] = (byte)(v >> (8 * i));
        }

        public void Fixed64(ulong v)
        {
            Fixed32((uint)v);
            Fixed32((uint)(v >> 32));
        }

        private void Little(byte[] v)
        {
            if (!BitConverter.IsLittleEndian) System.Array.Reverse(v);
            Raw(v);
        }

        private void Raw(byte[] v)
        {
            Reserve(v.Length);
            Buffer.BlockCopy(v, 0, buffer, size, v.Length);
            size += v.Length;
        }

        public void Bytes(byte[] v)
        {
            Varint((ulong)v.Length);
            Raw(v);
        }

        public void String(string v) { Bytes(Wire.Utf8.GetBytes(v)); }

        public void Time(DateTime v)
        {
            var ticks = v.ToUniversalTime().Ticks - Wire.UnixEpoch.Ticks;
            var seconds = ticks >= 0 ? ticks / TimeSpan.TicksPerSecond : -((-ticks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond);
            SecondsNanos(seconds, (ticks - seconds * TimeSpan.TicksPerSecond) * 100);
        }

        public void Duration(TimeSpan v)
        {
            SecondsNanos(v.Ticks / TimeSpan.TicksPerSecond, v.Ticks % TimeSpan.TicksPerSecond * 100);
        }

        private void SecondsNanos(long seconds, long nanos)
        {
            var start = Open();
            if (seconds != 0) { Varint(8); Int64(seconds); }
            if (nanos != 0) { Varint(16); Int64(nanos); }
            Close(start);
        }

        /// <summary>Starts a length-delimited value; Close ends it.</summary>
        public int Open()
        {
            Reserve(1);
            size++;
            return size;
        }

        public void Close(int start)
        {
            var length = size - start;
            var extra = 0;
            for (var v = length; v >= 0x80; v >>= 7) extra++;
            Reserve(extra);
            if (extra > 0) Buffer.BlockCopy(buffer, start, buffer, start + extra, length);
            size += extra;
            var at = start - 1;
            for (; length >= 0x80; length >>= 7) buffer[at++] = (byte)(length | 0x80);
            buffer[at] = (byte)length;
        }

        public void Message(IMessage m)
        {
            var start = Open();
            if (m != null) m.Write(this);
            Close(start);
        }

        /// <summary>Writes nothing if nothing in m is present.</summary>
        public void MessageOrNothing(ulong tag, IMessage m)
        {
            var before = size;
            Varint(tag);
            var start = Open();
            if (m != null) m.Write(this);
            if (size == start) size = before;
            else Close(start);
        }
    }

    /// <summary>Reads protobuf values from a buffer.</summary>
    public sealed class Reader
    {
        private readonly byte[] buffer;
        private readonly int end;
        private readonly int depth;
        private int at;

        public Reader(byte[] bytes) : this(bytes, 0, bytes.Length, 1) { }

        private Reader(byte[] bytes, int from, int to, int level)
        {
            if (level > Wire.MaxDepth) throw new MalformedException("nested too deeply");
            buffer = bytes;
            at = from;
            end = to;
            depth = level;
        }

        public bool More { get { return at < end; } }

        private int Take(ulong size)
        {
            if (size > (ulong)(end - at)) throw new MalformedException("truncated");
            at += (int)size;
            return at - (int)size;
        }

        public ulong Varint()
        {
            ulong v = 0;
            for (var shift = 0; shift < 64; shift += 7)
            {
                var b = buffer[Take(1)];
                v |= (ulong)(b & 0x7f) << shift;
                if (b < 0x80) return v;
            }
            throw new MalformedException("varint too long");
        }

        public bool Bool() { return Varint() != 0; }
        public int Int32() { return (int)Varint(); }
        public long Int64() { return (long)Varint(); }
        public uint UInt32() { return (uint)Varint(); }
        public int SInt32() { return (int)SInt64(); }
        public long SInt64() { var v = Varint(); return (long)(v >> 1) ^ -(long)(v & 1); }
        public int SFixed32() { return (int)Fixed32(); }
        public long SFixed64() { return (long)Fixed64(); }
        public double Double() { return BitConverter.Int64BitsToDouble((long)Fixed64()); }
        public float Float() { return BitConverter.ToSingle(BitConverter.GetBytes(Fixed32()), 0); }

        public uint Fixed32()
        {
            var from = Take(4);
            return buffer[from] | (uint)buffer[from + 1] << 8 | (uint)buffer[from + 2] << 16 | (uint)buffer[from + 3] << 24;
        }

        public ulong Fixed64()
        {
            ulong low = Fixed32();
            return low | (ulong)Fixed32() << 32;
        }

        public byte[] Bytes()
        {
            var size = Varint();
            var from = Take(size);
            var bytes = new byte[size];
            Buffer.BlockCopy(buffer, from, bytes, 0, bytes.Length);
            return bytes;
        }

        public byte[] Array(int size)
        {
            var bytes = Bytes();
            if (bytes.Length != size) throw new MalformedException("got " + bytes.Length + " bytes, want " + size);
            return bytes;
        }

        public string String() { return Wire.Utf8.GetString(Bytes()); }

        /// <summary>Returns a reader of the length-delimited value here.</summary>
        public Reader Sub()
        {
            var size = Varint();
            var from = Take(size);
            return new Reader(buffer, from, at, depth + 1);
        }

        public T Message<T>(T m) where T : IMessage
        {
            m.Merge(Sub());
            return m;
        }

        public DateTime Time() { return Wire.UnixEpoch.AddTicks(Ticks()); }

        public TimeSpan Duration() { return new TimeSpan(Ticks()); }

        private long Ticks()
        {
            long ticks = 0;
            for (var r = Sub(); r.More;)
            {
                var tag = r.Varint();
                if (tag == 8) ticks += r.Int64() * TimeSpan.TicksPerSecond;
                else if (tag == 16) ticks += r.Int64() / 100;
                else r.Skip(tag, 1, 2);
            }
            return ticks;
        }

        /// <summary>Passes over an unknown field. A known one of another type is an error.</summary>
        public void Skip(ulong tag, params int[] known)
        {
            if (System.Array.IndexOf(known, (int)(tag >> 3)) >= 0) throw new MalformedException("field " + (tag >> 3) + " has wire type " + (tag & 7));
            switch (tag & 7)
            {
                case 0: Varint(); break;
                case 1: Take(8); break;
                case 2: Take(Varint()); break;
                case 5: Take(4); break;
                default: throw new MalformedException("wire type " + (tag & 7));
            }
        }
    }
}
