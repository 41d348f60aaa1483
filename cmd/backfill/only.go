package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
	"backfill/internal/kafka"
)

func onlyFlag(what string) func(*flags, *pflag.FlagSet) {
	return func(f *flags, s *pflag.FlagSet) { s.StringArrayVar(&f.only, "only", nil, what) }
}

// onlyDays reads --only for a load. Partitions are refused: a slice holds whole
// days of all partitions.
func (f *flags) onlyDays() ([]kafka.Day, error) {
	var days []kafka.Day
	for _, text := range f.only {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, fail.New(fail.Usage, "--only %q is no day: a load changes whole days of all partitions; with the rows of some only, those of the others would be deleted, "+
				"and the newest version of a key may be in a partition that was left out", text).Try("give days such as --only 2026-03-05; the slices that hold them are loaded")
		}
		days = append(days, kafka.Day(d.Unix()/86400))
	}
	return days, nil
}

// onlyPartitions reads --only for a conversion. Days are refused: a chunk holds
// all days of its offsets.
func (f *flags) onlyPartitions() (func(kafka.TopicPartition) bool, error) {
	if len(f.only) == 0 {
		return nil, nil
	}
	type wanted struct {
		topic     string // "": any
		partition kafka.Partition
	}
	var list []wanted
	for _, text := range f.only {
		topic, number := "", text
		if i := strings.LastIndexByte(text, '/'); i >= 0 {
			topic, number = text[:i], text[i+1:]
		}
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil || n < 0 {
			return nil, fail.New(fail.Usage, "--only %q is no partition: a chunk holds all days of its offsets, so that a conversion can leave out partitions, not days", text).
				Try("give a partition's number, or topic/number")
		}
		list = append(list, wanted{topic, kafka.Partition(n)})
	}
	return func(tp kafka.TopicPartition) bool {
		for _, w := range list {
			if w.partition == tp.Partition && (w.topic == "" || w.topic == tp.Topic) {
				return true
			}
		}
		return false
	}, nil
}
