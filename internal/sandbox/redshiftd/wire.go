package redshiftd

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// preparedStatement is a statement after Parse. p is nil for the empty statement.
type preparedStatement struct {
	p     *parsed
	types []typ // of the parameters
	cols  []output
}

// portal is a statement with its parameters after Bind.
type portal struct {
	stmt    *preparedStatement
	values  []paramValue
	formats []int16
}

// loop serves messages until the connection ends.
func (s *session) loop() {
	skip := false // after an error everything up to Sync is passed over
	for {
		msg, err := s.wire.Receive()
		if err != nil {
			s.farewell()
			return
		}
		switch m := msg.(type) {
		case *pgproto3.Terminate:
			return
		case *pgproto3.Query:
			err = s.simpleQuery(m.String)
			skip = false
		case *pgproto3.Sync:
			skip = false
			s.ready()
			err = s.flush()
		case *pgproto3.Flush:
			err = s.flush()
		default:
			if skip {
				continue
			}
			if err = s.extended(msg); err != nil && !errors.Is(err, errClosed) {
				s.report(err)
				skip, err = true, nil
			}
		}
		if s.ending {
			_ = s.flush() // the client may be gone
			return
		}
		if err != nil || s.cutPending {
			return
		}
	}
}

// report sends an error, which fails the transaction block.
func (s *session) report(err error) {
	pg := engineError(s.srv.ctx, err, s.lastQuery)
	for _, n := range pg.notices {
		s.notice(n)
	}
	s.wire.Send(pg.response())
	if s.tx.block {
		s.fail()
	}
}

func (s *session) notice(text string) {
	s.wire.Send(&pgproto3.NoticeResponse{Severity: "INFO", Code: "00000", Message: text})
}

// simpleQuery runs all statements of a text; more than one outside a block make one implicit transaction.
func (s *session) simpleQuery(text string) error {
	tokens, err := lex(text)
	if err == nil {
		parts := splitStatements(tokens)
		if len(parts) == 0 {
			s.wire.Send(&pgproto3.EmptyQueryResponse{})
		}
		err = s.statements(text, parts)
	}
	if errors.Is(err, errClosed) {
		return err
	}
	if err != nil {
		s.report(err)
	}
	if s.ending {
		return s.flush()
	}
	s.ready()
	return s.flush()
}

func (s *session) statements(text string, parts [][]token) error {
	implicit := len(parts) > 1 && !s.tx.block
	if implicit {
		s.tx.implicit = true
		defer func() { s.tx.implicit = false }()
	}
	for _, part := range parts {
		p, err := parse(text, part)
		if err != nil {
			s.abandon()
			return err
		}
		if _, ok := p.stmt.(*copyStmt); ok && len(parts) > 1 {
			s.abandon()
			return strict("COPY in a string of several statements is not supported")
		}
		if p.params > 0 {
			s.abandon()
			return errorf("42P02", "there is no parameter $1")
		}
		if err := s.run(p, nil, nil); err != nil {
			s.abandon()
			return err
		}
	}
	if implicit && !s.tx.block {
		return s.commit()
	}
	return nil
}

// abandon rolls back what statements outside a block have begun.
func (s *session) abandon() {
	if !s.tx.block {
		s.rollback()
	}
}

// extended serves one message of the extended protocol.
func (s *session) extended(msg pgproto3.FrontendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.Parse:
		return s.parseMessage(m)
	case *pgproto3.Bind:
		return s.bindMessage(m)
	case *pgproto3.Describe:
		return s.describeMessage(m)
	case *pgproto3.Execute:
		return s.executeMessage(m)
	case *pgproto3.Close:
		if m.ObjectType == 'S' {
			delete(s.prepared, m.Name)
		} else {
			delete(s.portals, m.Name)
		}
		s.wire.Send(&pgproto3.CloseComplete{})
		return nil
	}
	return errorf("08P01", "unexpected message %T", msg)
}

const maxPrepared = 10_000

func (s *session) parseMessage(m *pgproto3.Parse) error {
	if m.Name != "" && s.prepared[m.Name] != nil {
		return errorf("42P05", "prepared statement %q already exists", m.Name)
	}
	if len(s.prepared) >= maxPrepared {
		return errorf("54000", "too many prepared statements")
	}
	tokens, err := lex(m.Query)
	if err != nil {
		return err
	}
	parts := splitStatements(tokens)
	st := &preparedStatement{}
	switch {
	case len(parts) > 1:
		return errorf("42601", "cannot insert multiple commands into a prepared statement")
	case len(parts) == 1:
		p, err := parse(m.Query, parts[0])
		if err != nil {
			return err
		}
		st.p = p
		for _, oid := range m.ParameterOIDs {
			t, ok := typeOfOID(oid)
			if !ok {
				return errorf("42704", "type with OID %d does not exist", oid)
			}
			st.types = append(st.types, t)
		}
		if err := s.describe(st); err != nil {
			return err
		}
	}
	s.prepared[strings.Clone(m.Name)] = st
	s.wire.Send(&pgproto3.ParseComplete{})
	return nil
}

func (s *session) bindMessage(m *pgproto3.Bind) error {
	st := s.prepared[m.PreparedStatement]
	if st == nil {
		return errorf("26000", "prepared statement %q does not exist", m.PreparedStatement)
	}
	p := &portal{stmt: st, formats: append([]int16(nil), m.ResultFormatCodes...)}
	if st.p != nil {
		if len(m.Parameters) != len(st.types) {
			return errorf("08P01", "bind message supplies %d parameters, but prepared statement %q requires %d", len(m.Parameters), m.PreparedStatement, len(st.types))
		}
		for i, raw := range m.Parameters {
			v, err := decodeParam(raw, st.types[i], formatOf(m.ParameterFormatCodes, i) == 1)
			if err != nil {
				return err
			}
			p.values = append(p.values, v)
		}
		for i, c := range st.cols {
			if err := s.checkFormat(c.t, formatOf(p.formats, i)); err != nil {
				return err
			}
		}
	}
	if len(s.portals) >= maxPrepared {
		return errorf("54000", "too many portals")
	}
	s.portals[strings.Clone(m.DestinationPortal)] = p
	s.wire.Send(&pgproto3.BindComplete{})
	return nil
}

// formatOf reads a list of format codes: none means text, one means all.
func formatOf(codes []int16, i int) int16 {
	switch {
	case len(codes) == 1:
		return codes[0]
	case i < len(codes):
		return codes[i]
	}
	return 0
}

func (s *session) describeMessage(m *pgproto3.Describe) error {
	var st *preparedStatement
	var formats []int16
	if m.ObjectType == 'S' {
		if st = s.prepared[m.Name]; st == nil {
			return errorf("26000", "prepared statement %q does not exist", m.Name)
		}
		var oids []uint32
		for _, t := range st.types {
			oids = append(oids, t.oid())
		}
		s.wire.Send(&pgproto3.ParameterDescription{ParameterOIDs: oids})
	} else {
		p := s.portals[m.Name]
		if p == nil {
			return errorf("34000", "portal %q does not exist", m.Name)
		}
		st, formats = p.stmt, p.formats
	}
	if st.cols == nil {
		s.wire.Send(&pgproto3.NoData{})
		return nil
	}
	s.wire.Send(s.rowsDescription(st.cols, formats))
	return nil
}

func (s *session) executeMessage(m *pgproto3.Execute) error {
	p := s.portals[m.Portal]
	if p == nil {
		return errorf("34000", "portal %q does not exist", m.Portal)
	}
	if m.MaxRows > 0 {
		return strict("row limit in Execute is not supported")
	}
	if p.stmt.p == nil {
		s.wire.Send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	if err := s.run(p.stmt.p, p.values, p); err != nil {
		s.abandon()
		return err
	}
	return nil
}
