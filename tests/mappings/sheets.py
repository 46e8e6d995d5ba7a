"""Made-up files of customers: their columns with two rows each, and what each column means (None: nothing)."""

from __future__ import annotations

from typing import NamedTuple


class Sheet(NamedTuple):
    """Columns by name: what a draft must make of them, and their values in two rows."""

    name: str
    columns: dict[str, tuple[str | None, str, str]]

    @property
    def rows(self) -> list[dict[str, str]]:
        return [{column: str(values[n]) for column, values in self.columns.items()} for n in (1, 2)]

    @property
    def meant(self) -> dict[str, str | None]:
        return {column: values[0] for column, values in self.columns.items()}


SHEETS = [
    Sheet(
        "ledger in Chinese",
        {
            "序号": (None, "1", "2"),
            "客户编号": ("external_ids", "KH0001", "KH0002"),
            "客户名称": ("name", "深圳市蓝海贸易有限公司", "广州云山电子有限公司"),
            "联系人": ("contact.name", "王小明", "李静"),
            "联系电话": ("phones", "0755-26001234", "020-38001234"),
            "手机号码": ("phones", "13800138001", "13900139002"),
            "电子邮箱": ("emails", "wang@lanhai.cn", "li@yunshan.cn"),
            "公司地址": ("addresses.text", "广东省深圳市南山区科技路1号", "广东省广州市天河区体育西路2号"),
            "邮编": ("addresses.postcode", "518057", "510620"),
            "开户行": (None, "工商银行", "建设银行"),
            "备注": (None, "", "老客户"),
        },
    ),
    Sheet(
        "invoice data in Chinese",
        {
            "单位名称": ("name", "杭州青禾农业科技有限公司", "苏州恒业机械厂"),
            "纳税人识别号": ("identifiers", "91330100MA27XKTY07", "91320500608202550L"),
            "开票地址": ("addresses.text", "浙江省杭州市西湖区文三路9号", "江苏省苏州市工业园区星湖街8号"),
            "开票电话": ("phones", "0571-88001234", "0512-62881234"),
            "开户银行及账号": (None, "农行杭州支行 1234567890123", "中行苏州支行 9876543210987"),
            "信用额度(元)": ("credit_limit", "50000", "120000.50"),
            "业务员": ("owner", "张三", "李四"),
            "客户状态": ("status", "正常", "停用"),
            "创建日期": ("source_created_at", "2024-03-01", "2024-05-20"),
            "最后修改时间": ("source_changed_at", "2025-01-02 10:20:30", "2025-02-03 11:22:33"),
        },
    ),
    Sheet(
        "members in Chinese",
        {
            "会员卡号": ("external_ids", "VIP10001", "VIP10002"),
            "姓名": ("name", "陈思", "赵一鸣"),
            "性别": (None, "女", "男"),
            "出生日期": ("birth_date", "1990-05-06", "1985-11-12"),
            "手机": ("phones", "13700137003", "13600136004"),
            "微信号": (None, "chensi_wx", "zhao1ming"),
            "省份": ("addresses.region", "四川省", "北京市"),
            "城市": ("addresses.city", "成都市", "北京市"),
            "区县": ("addresses.district", "武侯区", "朝阳区"),
            "详细地址": ("addresses.text", "人民南路四段1号", "建国路88号"),
            "会员等级": ("tags", "金卡", "银卡"),
            "积分": (None, "1200", "80"),
            "注册时间": ("source_created_at", "2023-01-05 09:00:00", "2023-06-07 12:30:00"),
            "最近消费时间": ("last_contact_at", "2025-05-05 18:00:00", "2025-04-01 20:15:00"),
        },
    ),
    Sheet(
        "members in traditional Chinese",
        {
            "客戶編號": ("external_ids", "T001", "T002"),
            "客戶名稱": ("name", "台北晨光股份有限公司", "高雄海洋企業有限公司"),
            "統一編號": ("identifiers", "04595257", "12345675"),
            "電話": ("phones", "02-27208889", "07-3368333"),
            "傳真": ("phones", "02-27208880", "07-3368330"),
            "電子郵件": ("emails", "a@chenguang.tw", "b@haiyang.tw"),
            "地址": ("addresses.text", "台北市信義區市府路1號", "高雄市苓雅區四維三路2號"),
            "備註": (None, "", ""),
        },
    ),
    Sheet(
        "exhibition contacts in both languages",
        {
            "Company 公司": ("name", "Blue Sea Trading", "Yunshan Electronics"),
            "Contact 联系人": ("contact.name", "Wang Xiaoming", "Li Jing"),
            "Title 职位": ("contact.role", "Manager", "Buyer"),
            "Mobile 手机": ("phones", "+86 138 0013 8001", "+86 139 0013 9002"),
            "E-mail 邮箱": ("emails", "w@bluesea.com", "l@yunshan.com"),
            "Country 国家": ("addresses.country", "China", "China"),
            "Website 网址": ("website", "www.bluesea.com", "www.yunshan.com"),
            "Remark 备注": (None, "sample sent", ""),
        },
    ),
    Sheet(
        "accounts in English",
        {
            "Account Number": ("external_ids", "AC-100", "AC-101"),
            "Company Name": ("name", "Northwind Tools Ltd", "Harbour Foods Inc"),
            "Contact Name": ("contact.name", "Ann Lee", "Bob Stone"),
            "Contact Email": ("emails", "ann@northwind.example", "bob@harbour.example"),
            "Phone": ("phones", "+1 415 555 2671", "+1 415 555 2672"),
            "Fax": ("phones", "+1 415 555 2673", "+1 415 555 2674"),
            "Street Address": ("addresses.street", "1 Main St", "22 Pier Road"),
            "City": ("addresses.city", "San Francisco", "Oakland"),
            "State": ("addresses.region", "CA", "CA"),
            "ZIP": ("addresses.postcode", "94105", "94607"),
            "Country": ("addresses.country", "US", "US"),
            "VAT Number": ("identifiers", "DE136695976", "ATU13585627"),
            "Website": ("website", "https://northwind.example", "https://harbour.example"),
            "Sales Rep": ("owner", "Kim", "Lou"),
            "Industry": (None, "Tools", "Food"),
            "Employees": (None, "120", "45"),
            "Created": ("source_created_at", "2024-01-02", "2024-02-03"),
            "Last Updated": ("source_changed_at", "2025-01-02 10:00:00", "2025-01-03 11:00:00"),
        },
    ),
    Sheet(
        "newsletter in English",
        {
            "id": ("external_ids", "9001", "9002"),
            "firstname": ("given_name", "Ann", "Bob"),
            "lastname": ("family_name", "Lee", "Stone"),
            "email": ("emails", "ann@example.com", "bob@example.com"),
            "dob": ("birth_date", "1990-01-02", "1988-03-04"),
            "mobile_phone": ("phones", "+44 7911 123456", "+44 7911 123457"),
            "job_title": ("contact.role", "Cook", "Nurse"),
            "opt_in": (None, "yes", "no"),
            "signup_date": ("source_created_at", "2024-03-04", "2024-05-06"),
            "tags": ("tags", "a,b", "c"),
        },
    ),
    Sheet(
        "shop buyers in English",
        {
            "Customer Id": ("external_ids", "501", "502"),
            "Customer Name": ("name", "Maria Rossi", "Jean Petit"),
            "Billing Email": ("emails", "maria@example.com", "jean@example.com"),
            "Billing Phone": ("phones", "+39 06 698 1234", "+33 1 42 68 53 00"),
            "Billing Address 1": ("addresses.street", "Via Roma 1", "3 Rue de Rivoli"),
            "Billing City": ("addresses.city", "Roma", "Paris"),
            "Billing Postcode": ("addresses.postcode", "00184", "75004"),
            "Billing Country": ("addresses.country", "IT", "FR"),
            "Order Total": (None, "120.50", "99.00"),
            "Last Order Date": ("last_contact_at", "2025-05-01 10:00:00", "2025-04-02 12:00:00"),
        },
    ),
    Sheet(
        "columns as databases call them",
        {
            "cust_id": ("external_ids", "77001", "77002"),
            "cust_name": ("name", "Alpha GmbH", "Beta AG"),
            "short_name": ("trading_name", "Alpha", "Beta"),
            "tax_no": ("identifiers", "DE136695976", "DE129273398"),
            "tel1": ("phones", "+49 30 123456", "+49 89 654321"),
            "e_mail": ("emails", "info@alpha.example", "info@beta.example"),
            "addr": ("addresses.text", "Berliner Str. 1, 10115 Berlin", "Marienplatz 1, 80331 München"),
            "is_deleted": (None, "0", "0"),
            "create_time": ("source_created_at", "2024-01-02 03:04:05", "2024-02-03 04:05:06"),
            "update_time": ("source_changed_at", "2025-01-02 03:04:05", "2025-02-03 04:05:06"),
        },
    ),
    Sheet(
        "columns that say nothing",
        {
            "字段1": ("name", "厦门白鹭旅行社有限公司", "宁波东海渔业有限公司"),
            "字段2": ("phones", "13500135005", "13400134006"),
            "字段3": ("emails", "bailu@example.cn", "donghai@example.cn"),
            "字段4": ("identifiers", "91350200612017720D", "913302001440678009"),
            "字段5": ("addresses.text", "福建省厦门市思明区湖滨南路3号", "浙江省宁波市海曙区中山西路4号"),
            "字段6": (None, "12", "7"),
        },
    ),
    Sheet(
        "customers in German",
        {
            "Kundennummer": ("external_ids", "10001", "10002"),
            "Anrede": (None, "Herr", "Frau"),
            "Name": ("family_name", "Müller", "Groß"),
            "Vorname": ("given_name", "Jürgen", "Käthe"),
            "Straße": ("addresses.street", "Hauptstraße", "Gartenweg"),
            "Hausnummer": ("addresses.house", "12", "3a"),
            "PLZ": ("addresses.postcode", "10115", "80331"),
            "Ort": ("addresses.city", "Berlin", "München"),
            "Telefon": ("phones", "030 1234567", "089 654321"),
            "E-Mail-Adresse": ("emails", "j.mueller@example.de", "k.gross@example.de"),
            "Geburtsdatum": ("birth_date", "23.04.1980", "01.02.1975"),
        },
    ),
    Sheet(
        "patients in English",
        {
            "Ref No": ("external_ids", "P1", "P2"),
            "Title": (None, "Mr", "Mrs"),
            "Forename": ("given_name", "John", "Ann"),
            "Surname": ("family_name", "Smith", "Brown"),
            "DOB": ("birth_date", "23/04/1980", "01/02/1975"),
            "Tel No": ("phones", "020 7946 0018", "0113 496 0012"),
            "Addr1": ("addresses.street", "1 High Street", "2 Mill Lane"),
            "Town": ("addresses.city", "London", "Leeds"),
            "Post Code": ("addresses.postcode", "SW1 2AB", "LS1 4DY"),
            "NHS": ("identifiers", "9434765919", "9434765870"),
            "First Visit": (None, "phone", "web"),
        },
    ),
    Sheet(
        "vendors with qualified columns",
        {
            "Vendor ID": ("external_ids", "1", "2"),
            "Vendor Name": ("name", "Summit Foods LLC", "Nova Media Inc"),
            "Remit Address": ("addresses.text", "1 Main St", "2 Oak Ave"),
            "Remit City": ("addresses.city", "Boston", "Chicago"),
            "ST": ("addresses.region", "TX", "IL"),
            "Remit ZIP": ("addresses.postcode", "02110", "60601"),
            "Phone #": ("phones", "617-555-0123", "312-555-0199"),
        },
    ),
]
