// SPDX-License-Identifier: MIT

package game

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The channels that clients may name.
const (
	ChannelWorld   = "world"
	ChannelZone    = "zone"
	ChannelGuild   = "guild"
	ChannelWhisper = "whisper"
)

func zoneChannel(zone int64) string    { return "zone:" + strconv.FormatInt(zone, 10) }
func guildChannel(guild string) string { return "guild:" + guild }

// Say speaks on a channel. to is a name, for whispers only.
//
//troupe:client
//troupe:max 1024
func (p *Player) Say(ctx context.Context, channel, to, text string) error {
	text = strings.TrimSpace(text)
	if n := utf8.RuneCountInString(text); n < 1 || n > maxText {
		return ErrText
	}
	d := &p.doc.Data
	line := ChatEvent{Channel: channel, From: d.Name, Text: text, At: time.Now().UnixMilli()}
	switch channel {
	case ChannelWorld:
		return p.say(ChannelWorld, line)
	case ChannelZone:
		return p.say(zoneChannel(d.Zone), line)
	case ChannelGuild:
		if d.Guild == "" {
			return ErrGuild
		}
		return p.say(guildChannel(d.Guild), line)
	case ChannelWhisper:
		id, err := p.lookUp(ctx, to)
		if err != nil {
			return err
		}
		if err := PlayerOf(p, id).Hear(ctx, line); err != nil {
			return err
		}
		line.From = "to " + to
		p.push(EventChat, line)
		return nil
	}
	return ErrChannel
}

func (p *Player) say(channel string, line ChatEvent) error {
	return ChatForName(p, channel).SendSay(channel, line)
}

// Hear is a whisper.
func (p *Player) Hear(_ context.Context, line ChatEvent) error {
	if p.client.Session().IsZero() {
		return ErrOffline
	}
	p.push(EventChat, line)
	return nil
}

func (p *Player) lookUp(ctx context.Context, name string) (int64, error) {
	name, err := cleanName(name)
	if err != nil {
		return 0, ErrNobody
	}
	return NamesForName(p, fold(name)).Find(ctx, name)
}

// channels are those the player listens to.
func (p *Player) channels() []string {
	list := []string{ChannelWorld, zoneChannel(p.doc.Data.Zone)}
	if g := p.doc.Data.Guild; g != "" {
		list = append(list, guildChannel(g))
	}
	return list
}

func (p *Player) joinChannels() {
	if p.client.Session().IsZero() {
		return
	}
	for _, c := range p.channels() {
		_ = ChatForName(p, c).SendJoin(c, p.ID(), p.client.Session())
	}
}

func (p *Player) leaveChannels() {
	for _, c := range p.channels() {
		p.leaveChannel(c)
	}
}

func (p *Player) leaveChannel(c string) { _ = ChatForName(p, c).SendLeave(c, p.ID()) }

// FoundGuild makes a guild and joins it.
//
//troupe:client
func (p *Player) FoundGuild(ctx context.Context, name string) error {
	return p.joinGuild(ctx, name, true)
}

// JoinGuild joins a guild that exists.
//
//troupe:client
func (p *Player) JoinGuild(ctx context.Context, name string) error {
	return p.joinGuild(ctx, name, false)
}

func (p *Player) joinGuild(ctx context.Context, name string, found bool) error {
	name, err := cleanName(name)
	if err != nil {
		return err
	}
	if p.doc.Data.Guild != "" {
		return ErrGuild
	}
	if err := GuildNamed(p, fold(name)).Join(ctx, name, p.ID(), p.doc.Data.Name, found); err != nil {
		return err
	}
	p.doc.Data.Guild = fold(name)
	p.joinChannels()
	return p.doc.Save(ctx)
}

// LeaveGuild leaves the guild.
//
//troupe:client
func (p *Player) LeaveGuild(ctx context.Context) error {
	d := &p.doc.Data
	if d.Guild == "" {
		return ErrGuild
	}
	if err := GuildNamed(p, d.Guild).Leave(ctx, p.ID()); err != nil {
		return err
	}
	p.leaveChannel(guildChannel(d.Guild))
	d.Guild = ""
	return p.doc.Save(ctx)
}

// GuildMembers lists the names in the player's guild.
//
//troupe:client
func (p *Player) GuildMembers(ctx context.Context) ([]string, error) {
	if p.doc.Data.Guild == "" {
		return nil, nil
	}
	return GuildNamed(p, p.doc.Data.Guild).Members(ctx)
}

// Ranking returns the best players.
//
//troupe:client
func (p *Player) Ranking(ctx context.Context) ([]Standing, error) { return RankOf(p).Top(ctx, 20) }

// Write sends a letter, which may carry gold and things. It is durable before
// the reply; the letter arrives also when the other is offline or a node dies.
//
//troupe:client
//troupe:max 2048
func (p *Player) Write(ctx context.Context, to, subject, text string, gold int64, item, count int32) error {
	d := &p.doc.Data
	if n := utf8.RuneCountInString(text); n > maxText || utf8.RuneCountInString(subject) > 40 {
		return ErrText
	}
	switch {
	case gold < 0 || count < 0:
		return ErrCount
	case gold > d.Gold:
		return ErrPoor
	case count > 0 && d.Bag[item] < count:
		return ErrNoItem
	case len(d.Outbox) >= maxOutbox:
		return ErrFull
	}
	other, err := p.lookUp(ctx, to)
	if err != nil {
		return err
	}
	id, err := p.ids.Next()
	if err != nil {
		return err
	}
	d.Gold -= gold
	if count > 0 {
		p.take(item, count)
	} else {
		item = 0
	}
	d.Outbox = append(d.Outbox, Letter{
		ID: id, From: d.Name, To: other, Subject: subject, Text: text, Gold: gold, Item: item, Count: count, At: time.Now().UTC(),
	})
	if err := p.doc.Save(ctx); err != nil {
		return err
	}
	p.tell("")
	p.deliverOutbox()
	return nil
}

// deliverOutbox gives letters to their mailboxes (G3). The answers come as
// Delivered; what is not answered is tried again.
func (p *Player) deliverOutbox() {
	for _, l := range p.doc.Data.Outbox {
		_ = MailboxOf(p, l.To).SendDeliver(p.ID(), l)
	}
	if len(p.doc.Data.Outbox) > 0 {
		p.After(3*time.Second, func(context.Context) { p.deliverOutbox() })
	}
}

// Delivered is a mailbox's word that it has saved a letter.
func (p *Player) Delivered(_ context.Context, letter int64) error {
	d := &p.doc.Data
	d.Outbox = slices.DeleteFunc(d.Outbox, func(l Letter) bool { return l.ID == letter })
	return nil
}

// Notified says that a letter has come.
func (p *Player) Notified(_ context.Context, from, subject string) error {
	p.push(EventMail, MailEvent{From: from, Subject: subject})
	return nil
}

// Inbox lists the letters.
//
//troupe:client
func (p *Player) Inbox(ctx context.Context) ([]Letter, error) { return MailboxOf(p, p.ID()).List(ctx) }

// Claim takes what a letter carries and throws the letter away. It is durable
// before the reply and happens once (G4), however often it is called.
//
//troupe:client
func (p *Player) Claim(ctx context.Context, letter int64) error {
	d := &p.doc.Data
	box := MailboxOf(p, p.ID())
	if !slices.Contains(d.Claimed, letter) {
		l, err := box.Read(ctx, letter)
		if err != nil {
			return err
		}
		d.Gold += l.Gold
		if l.Count > 0 {
			d.Bag[l.Item] += l.Count
		}
		d.Claimed = append(d.Claimed, letter)
	}
	if err := p.doc.Save(ctx); err != nil {
		return err
	}
	p.tell("")
	if err := box.Remove(ctx, letter); err != nil {
		return err // stays claimed; calling again goes on here
	}
	d.Claimed = slices.DeleteFunc(d.Claimed, func(id int64) bool { return id == letter })
	return nil
}
