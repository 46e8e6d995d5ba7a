"""Words that systems use for customer fields, in many languages, by the canonical field they mean."""

from __future__ import annotations

from mappings.normalise.vocabulary import words

SYNONYMS: dict[str, str] = {
    "name": (
        "客户名称 名称 公司名称 单位名称 企业名称 客户全称 姓名 客户 customer_name customername company_name "
        "companyname company account_name accountname name full_name fullname display_name displayname customer "
        "cusname ccusname fname 客户姓名 会员姓名 联系单位 商户名称 供应商名称 机构名称 cust_name custname "
        "client client_name organisation organization org_name business_name 购方名称 firmenname unternehmen "
        "kundenname kontaktname raison_sociale entreprise razon_social ragione_sociale nombre_completo "
        "nom_complet nome_completo vollstaendiger_name vor_und_nachname customer_full_name 患者姓名 收货人 "
        "收件人 顾客姓名 用户姓名 学生姓名 员工姓名 真实姓名 商家名称 店铺名称 门店名称 购货单位 往来单位 "
        "客商名称 供货商 厂商名称 组织名称"
    ),
    "legal_name": (
        "发票抬头 开票名称 注册名称 legal_name registered_name invoice_title billing_name finvoicetitle "
        "营业执照名称 legal_entity"
    ),
    "trading_name": (
        "简称 客户简称 short_name shortname abbrname ccusabbname fshortname trading_name brand nickname 品牌 "
        "trade_name doing_business_as 别名 店名"
    ),
    "latin_name": "英文名称 英文名 english_name name_en latin_name",
    "given_name": (
        "名 first_name firstname given_name givenname forename vorname rufname prenom nombre_de_pila 名字 "
        "voornaam imie christian_name"
    ),
    "family_name": (
        "姓 姓氏 last_name lastname surname family_name familyname nachname familienname zuname nom_de_famille "
        "apellido apellidos cognome sobrenome achternaam nazwisko"
    ),
    "birth_date": (
        "生日 出生日期 birthday birth_date birthdate date_of_birth dob geburtsdatum geburtstag geb_datum "
        "date_de_naissance fecha_de_nacimiento fecha_nacimiento data_di_nascita data_de_nascimento geboortedatum "
        "出生年月 出生年月日 出生日"
    ),
    "emails": (
        "邮箱 电子邮箱 电子邮件 邮件 email e_mail email_address emailaddress mail emailaddress1 email_id "
        "email地址 联系邮箱 e_mail_address contact_email billing_email 電子郵件 e_mail_adresse mailadresse "
        "courriel correo correo_electronico adresse_email adresse_mail 邮件地址 电邮 电子信箱 信箱 emailaddr "
        "mail_id"
    ),
    "phones": (
        "手机 手机号 手机号码 电话 联系电话 固定电话 座机 传真 mobile mobile_phone mobilephone cell phone "
        "phone_number phonenumber telephone tel fax contact_phone phone1 telephone1 mobile_no ftel 联系方式 "
        "联系手机 办公电话 公司电话 开票电话 联络电话 tel1 tel2 phone2 mobile_number cellphone work_phone "
        "home_phone billing_phone whatsapp telefon telefonnummer tel_nr rufnummer handy handynummer mobil "
        "mobilnummer mobiltelefon festnetz faxnummer telephone_portable numero_de_telephone numero_telephone "
        "telefono telefono_movil movil celular cellulare telefone telemovel phone_no telephone_number 移动电话 "
        "手机电话 联系号码 电话号码 收货电话 传真号码 家庭电话 宅电 办公室电话 公司固话 固话 telefoonnummer "
        "landline"
    ),
    "identifiers": (
        "税号 纳税人识别号 统一社会信用代码 信用代码 tax_id taxid tax_no tax_number taxnumber vat vat_id "
        "vat_number vatid uscc credit_code tax_registration_number ftaxregistercode siret ein duns 统一编号 "
        "纳税登记号 营业执照号 组织机构代码 税务登记号 tin gstin abn company_number registration_number "
        "steuernummer umsatzsteuer_id ust_id ust_idnr uid_nummer umsatzsteueridentifikationsnummer "
        "handelsregisternummer numero_tva siren codigo_fiscal partita_iva codice_fiscale cnpj cpf rfc cuit "
        "business_number fein federal_tax_id soc_sec_id ssn social_security_number social_security_no "
        "social_security national_id nhs_number nhs_no nino ni_number national_insurance_number "
        "national_insurance_no passport_no passport_number nric id_card id_card_no 身份证 身份证号 身份证号码 "
        "证件号 证件号码 护照号 护照号码 社保号 社会保障号 注册号 工商注册号 企业代码 机构代码 drivers_license "
        "driver_license_no licence_number medicare_number personalausweisnummer sozialversicherungsnummer "
        "medical_record_number"
    ),
    "addresses.text": (
        "地址 联系地址 详细地址 注册地址 公司地址 收货地址 送货地址 address full_address faddress 通讯地址 "
        "办公地址 家庭地址 开票地址 addr mailing_address postal_address billing_address shipping_address adresse "
        "anschrift postanschrift direccion domicilio indirizzo endereco adres 住址 现住址 居住地址 收件地址 "
        "经营地址 单位地址 企业地址 通信地址 住所 注册地 门店地址"
    ),
    "addresses.country": "国家 国家地区 country country_code countrycode billing_country pays pais paese 国别",
    "addresses.region": (
        "省 省份 province state region state_province 所在省份 所在省 billing_state bundesland kanton 省市"
    ),
    "addresses.city": (
        "市 城市 city town suburb 所在城市 billing_city stadt wohnort ville commune ciudad localidad poblacion "
        "citta cidade plaats miasto 所在地 城区 地市"
    ),
    "addresses.district": "区 区县 district county",
    "addresses.street": (
        "街道 street address1 address_1 address_line1 address_line_1 addressline1 street_address "
        "billing_address_1 billing_street billing_address1 shipping_street strasse strasse_hausnummer strasse_nr "
        "calle rua straat street_name address_line strasse_und_hausnummer 路名 街道地址"
    ),
    "addresses.house": (
        "street_number house_number hausnummer haus_nr house_num building_number 门牌号 门牌 numero_civico"
    ),
    "addresses.postcode": (
        "邮编 邮政编码 postcode postal_code postalcode zip zip_code zipcode fzip billing_postcode billing_zip "
        "post_code plz postleitzahl code_postal codigo_postal zip_postal_code zipcode4 zip5 zip_postcode "
        "邮政编号 postcode_zip"
    ),
    "status": "状态 客户状态 status state customer_status 停用状态 启用状态 启用 kundenstatus statut estado_cliente",
    "currency": "币种 币别 结算币别 货币 currency currency_code currencycode default_currency",
    "credit_limit": "信用额度 授信额度 信用限额 credit_limit creditlimit credit 信用额 授信 credit_line",
    "owner": (
        "业务员 销售员 负责人 客户经理 专管业务员 owner sales_rep salesperson account_manager sales_person "
        "专管业务员名称 跟进人 客服 所属销售 销售代表 归属人 assigned_to rep contact_owner account_owner"
    ),
    "language": "语言 language lang locale preferred_language",
    "website": "网址 网站 公司网址 website web url homepage site 官网 主页 website_url domain",
    "tags": (
        "标签 客户标签 tags tag labels 客户分类 客户等级 客户级别 客户类型 会员等级 会员级别 客户分组 客户来源 "
        "segment customer_group category"
    ),
    "external_ids": (
        "客户编码 客户编号 客户代码 编码 编号 customer_code customercode customer_no code account_number "
        "customer_id fnumber 会员编号 会员卡号 会员号 卡号 客户号 客户id 会员id cust_id custid cust_code cust_no "
        "customer_number client_id member_id record_id contact_id user_id id kundennummer kunden_nr kd_nr "
        "mitgliedsnummer numero_client id_cliente codigo_cliente patient_id employee_id ref_no 会员编码 客商编码 "
        "供应商编码 供应商编号 往来单位编码 用户id 用户编号 顾客编号 学号 工号 病历号"
    ),
    "contact.name": (
        "联系人 联系人姓名 主要联系人 联络人 客户联系人 经办人 contact contact_name contactname contact_person "
        "primary_contact attention ansprechpartner kontaktperson interlocuteur persona_de_contacto referente "
        "业务联系人 负责人姓名 法人代表 法定代表人"
    ),
    "contact.role": "职位 职务 联系人职务 job_title jobtitle position title funktion cargo fonction 职称",
    "source_created_at": (
        "创建时间 创建日期 建档日期 created_at createdat created create_date creation date_created created_on "
        "注册时间 注册日期 加入时间 开户日期 登记日期 create_time created_time add_time signup_date sign_up "
        "date_joined registered registered_at registration_date created_date member_since"
    ),
    "source_changed_at": (
        "修改时间 更新时间 修改日期 最后修改时间 updated_at updatedat modified modified_on write_date "
        "last_modified date_modified updated changed_at fmodifydate lastmodifieddate 最后更新时间 最近更新时间 "
        "最后修改日期 变更时间 update_time updated_time modify_time modified_time last_updated last_update "
        "modified_at modified_date last_modified_date"
    ),
    "last_contact_at": (
        "最后联系时间 最近跟进时间 last_contact last_contacted last_activity_date 最近消费时间 最近下单时间 "
        "最近购买时间 最后下单时间 最后消费时间 最近联系时间 最后跟进时间 最近一次消费时间 last_order_date "
        "last_order last_purchase last_purchase_date last_seen last_activity last_active"
    ),
}
"""Canonical target -> words separated by blanks; `addresses.x` is a field of an address (`house`, the number in the
street, is written before or after the street as the columns stand), `contact.x` one of a person beside the organisation
of the same record. Traditional characters are simplified and accents taken off first."""

WHOLE: dict[str, str] = {
    "name": "dba nom nombre nome naam cliente kunde firma societe empresa azienda 单位 公司 企业",
    "given_name": "first given",
    "family_name": "last lname family",
    "birth_date": "birth born geb",
    "phones": "portable telefax mob hp handphone",
    "identifiers": "nif cif nie rut nit tva sin mrn nhs passport",
    "addresses.text": "direccion",
    "addresses.country": "land",
    "addresses.region": "estado provincia departement",
    "addresses.city": "ort place locality comune",
    "addresses.street": "rue via str addr1 add1",
    "addresses.postcode": "cap cep cp postal",
    "addresses.house": "nr hausnr",
    "external_ids": "reference ref",
    "contact.name": "法人",
}
"""Words that mean this only where they are the whole name: they are parts of many others."""

QUALIFIERS = words(
    """
    mailing billing bill shipping ship to remit home work office business primary main default preferred customer
    client cust vendor supplier member patient person account legal delivery postal residential residence current
    permanent private personal ap ar buyer subscriber user your invoice corporate head hq site no nr num number line 1
    one value
    """
)
"""Words around the one that says what a field is ("Remit City", "Tel No", "Address 1")."""
