# Writes the same twenty records in each format and envelope.
import json, csv, decimal, datetime, sys, io
import pyarrow as pa, pyarrow.parquet as pq, fastavro
D=decimal.Decimal; out=sys.argv[1]+'/'
rows=[]
for i in range(20):
    rows.append(dict(id='é%d'%i,type=['paid','void','other'][i%3],at=datetime.datetime(2026,3,1+i,1,2,3,456789),
      amount=D(i*731-9000).scaleb(-2) if i%7 else None, wide=D(i*10**24+i).scaleb(-4),currency='USD',note='a "q"; b,\n c'+str(i)))
iso=lambda r:{**r,'at':r['at'].isoformat()+'Z','amount':None if r['amount'] is None else format(r['amount'],'f'),'wide':format(r['wide'],'f')}
J=[iso(r) for r in rows]
dump=lambda x:json.dumps(x,ensure_ascii=False)
def put(name,lines): open(out+name,'w').write(''.join(dump(l)+'\n' for l in lines))
put('plain.jsonl',J)
put('lenses.jsonl',[{'key':r['id'],'value':r,'headers':{'h':'1'},'metadata':{'timestamp':1772323200000+i,'topic':'pay','partition':3,'offset':100+i}} for i,r in enumerate(J)])
put('aiven.jsonl',[{'value':r,'offset':100+i,'timestamp':'2026-03-01T00:00:00Z'} for i,r in enumerate(J)])
open(out+'aiven.json','w').write('[\n'+',\n'.join(dump({'value':r,'offset':100+i}) for i,r in enumerate(J))+'\n]')
put('connect.jsonl',[{'schema':{'type':'struct'},'payload':r} for r in J])
put('debezium.jsonl',[{'before':None,'after':r,'source':{'ts_ms':1},'op':'c'} for r in J])
put('connect-debezium.jsonl',[{'schema':{},'payload':{'before':None,'after':r,'op':'c'}} for r in J])
put('cloudevents.jsonl',[{'specversion':'1.0','id':r['id'],'source':'/p','type':'x','data':r} for r in J])
open(out+'firehose','w').write(''.join(dump(r) for r in J))
put('strings.jsonl',[dump(r) for r in J])
import base64
b64=lambda x:base64.b64encode(dump(x).encode()).decode()
with open(out+'packed.csv','w') as f: f.write('\n'.join(b64(r)+','+str(100+i) for i,r in enumerate(J)))
put('packed-debezium.jsonl',[{'value':b64({'schema':{},'payload':{'before':None,'after':r,'op':'c'}}),'valueIsArray':True,'metadata':{'timestamp':1772323200000+i,'topic':'pay','partition':3,'offset':100+i}} for i,r in enumerate(J)])
with open(out+'header.csv','w',newline='') as f:
    w=csv.DictWriter(f,fieldnames=list(J[0])); w.writeheader(); w.writerows(J)
with open(out+'bare.csv','w',newline='') as f:
    w=csv.DictWriter(f,fieldnames=list(J[0]),delimiter=';',lineterminator='\n'); w.writerows(J)
st=pa.struct([('id',pa.string()),('type',pa.string()),('at',pa.timestamp('us',tz='UTC')),('amount',pa.decimal128(18,2)),('wide',pa.decimal128(30,4)),('currency',pa.string()),('note',pa.string())])
U=[{**r,'at':r['at'].replace(tzinfo=datetime.timezone.utc)} for r in rows]
for c in ('snappy','gzip','zstd','none','brotli','lz4'):
    pq.write_table(pa.Table.from_pylist(U,schema=pa.schema(list(st))),out+'pyarrow-%s.parquet'%c,compression=c,row_group_size=7)
en=pa.schema([('key',pa.string()),('value',st),('metadata',pa.struct([('timestamp',pa.int64()),('topic',pa.string()),('partition',pa.int32()),('offset',pa.int64())]))])
pq.write_table(pa.Table.from_pylist([{'key':r['id'],'value':r,'metadata':{'timestamp':1772323200000+i,'topic':'pay','partition':3,'offset':100+i}} for i,r in enumerate(U)],schema=en),out+'lenses.parquet')
fs=[{'name':'id','type':'string'},{'name':'type','type':'string'},{'name':'at','type':{'type':'long','logicalType':'timestamp-micros'}},
 {'name':'amount','type':['null',{'type':'bytes','logicalType':'decimal','precision':64,'scale':2}]},{'name':'wide','type':{'type':'bytes','logicalType':'decimal','precision':64,'scale':4}},
 {'name':'currency','type':'string'},{'name':'note','type':'string'}]
rec={'type':'record','name':'ConnectDefault','namespace':'io.confluent.connect.avro','fields':fs}
for c in ('null','deflate','bzip2'):
    fastavro.writer(open(out+'fastavro-%s.avro'%c,'wb'),rec,U,codec=c)
le={'type':'record','name':'Envelope','fields':[{'name':'key','type':['null','string']},{'name':'value','type':['null',rec]},{'name':'metadata','type':{'type':'record','name':'M','fields':[{'name':'timestamp','type':'long'},{'name':'topic','type':'string'},{'name':'partition','type':'int'},{'name':'offset','type':'long'}]}}]}
fastavro.writer(open(out+'lenses.avro','wb'),le,[{'key':r['id'],'value':r,'metadata':{'timestamp':1772323200000+i,'topic':'pay','partition':3,'offset':100+i}} for i,r in enumerate(U)])
pk={'type':'record','name':'connector_records','fields':[{'name':'value','type':'string'},{'name':'offset','type':'long'}]}
fastavro.writer(open(out+'packed.avro','wb'),pk,[{'value':json.dumps(r,indent=1),'offset':100+i} for i,r in enumerate(J)])
# Archivers whose keys say nothing, with what they put around a value.
import gzip, struct, zlib
put('vector.jsonl',[{'headers':{},'message':dump(r),'message_key':r['id'],'offset':100+i,'partition':3,'source_type':'kafka','timestamp':'2026-03-01T00:00:00.000Z','topic':'pay'} for i,r in enumerate(J)])
put('fluentbit.jsonl',[{'date':'2026-03-01T00:00:00.000000Z','topic':'pay','partition':3,'offset':100+i,'error':None,'key':r['id'],'payload':dump(r)} for i,r in enumerate(J)])
put('fluentd.jsonl',[{**r,'tag':'kafka.pay'} for r in J])
put('logstash.jsonl',[{'@timestamp':'2026-03-01T00:00:00.000Z','@version':'1',**r} for r in J])
# Secor's SequenceFiles, byte by byte: Hadoop has no writer in Python.
def vint(n):
    if -112<=n<=127: return struct.pack('b',n)
    b=n.to_bytes(8,'big').lstrip(b'\0'); return struct.pack('b',-112-len(b))+b
text=lambda s:vint(len(s))+s.encode()
def sequence(name,key,pairs,codec=None,block=False):
    sync=bytes(range(16)); io='org.apache.hadoop.io.'
    b=b'SEQ\x06'+text(io+key)+text(io+'BytesWritable')+bytes([codec is not None,block])
    if codec: b+=text(io+'compress.'+codec)
    b+=struct.pack('>i',0)+sync
    if not block:
        for k,v in pairs: b+=struct.pack('>ii',len(k)+len(v),len(k))+k+v
    else:
        for at in range(0,len(pairs),7):
            some=pairs[at:at+7]
            b+=struct.pack('>i',-1)+sync+vint(len(some))
            for part in (b''.join(vint(len(k)) for k,_ in some),b''.join(k for k,_ in some),b''.join(vint(len(v)) for _,v in some),b''.join(v for _,v in some)):
                z=zlib.compress(part); b+=vint(len(z))+z
    open(out+name,'wb').write(b)
writable=lambda x:struct.pack('>i',len(x))+x
sequence('secor.seq','LongWritable',[(struct.pack('>q',100+i),writable(dump(r).encode())) for i,r in enumerate(J)],'DefaultCodec',True)
packed=lambda i,k:b'\x83\x01'+struct.pack('>BH',0xcd,100+i)+b'\x02'+struct.pack('>BB',0xc4,len(k))+k+b'\x03'+struct.pack('>BQ',0xcf,1772323200000+i)
sequence('secor-msgpack.seq','BytesWritable',[(writable(packed(i,r['id'].encode())),writable(dump(r).encode())) for i,r in enumerate(J)])
